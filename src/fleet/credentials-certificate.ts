/** X.509 client certificates (RFC 5280, DER by X.690), as far as a simulated proxy needs them. */
import { createPrivateKey, createPublicKey, type KeyObject, sign, X509Certificate } from "node:crypto";

const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

const OID = {
  commonName: "550403",
  keyUsage: "551d0f",
  subjectAltName: "551d11",
  basicConstraints: "551d13",
  extendedKeyUsage: "551d25",
  clientAuth: "2b06010505070302",
  sha256WithRsa: "2a864886f70d01010b",
  ecdsaWithSha256: "2a8648ce3d040302",
} as const;

/** Who signs. */
export interface Authority {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

export interface ClientName {
  readonly commonName: string;
  readonly dnsNames: readonly string[];
  readonly uris: readonly string[];
}

/** Signs certificates of one authority for one key, from `notBeforeMs` for `lifetimeMs`. Gives PEM. */
export function certificateSigner(
  authority: Authority,
  options: { readonly privateKeyPem: string; readonly notBeforeMs: number; readonly lifetimeMs: number },
): (name: ClientName, serial: number) => string {
  const key = createPrivateKey(authority.privateKeyPem);
  const algorithm = signatureAlgorithm(key);
  const issuer = subjectOf(new X509Certificate(authority.certificatePem).raw);
  const publicKey = createPublicKey(options.privateKeyPem).export({ type: "spki", format: "der" });
  const validity = sequence(time(options.notBeforeMs), time(options.notBeforeMs + options.lifetimeMs));
  return (name, serial) => {
    const content = sequence(
      tlv(0xa0, tlv(TAG.integer, Buffer.of(2))),
      tlv(TAG.integer, serialOctets(serial)),
      algorithm,
      issuer,
      validity,
      sequence(tlv(TAG.set, sequence(oid(OID.commonName), tlv(TAG.utf8String, Buffer.from(name.commonName))))),
      publicKey,
      tlv(0xa3, sequence(...extensions(name))),
    );
    const signature = sign("sha256", content, key);
    const certificate = sequence(content, algorithm, tlv(TAG.bitString, Buffer.of(0), signature));
    const lines = certificate.toString("base64").match(/.{1,64}/g) ?? [];
    return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
  };
}

function extensions({ dnsNames, uris }: ClientName): readonly Buffer[] {
  const critical = tlv(TAG.boolean, Buffer.of(0xff));
  // Digital signature: the first bit of eight, seven unused.
  const usage = tlv(TAG.bitString, Buffer.of(7, 0x80));
  const names = [
    ...dnsNames.map((name) => tlv(0x82, Buffer.from(name, "latin1"))),
    ...uris.map((uri) => tlv(0x86, Buffer.from(uri, "latin1"))),
  ];
  return [
    sequence(oid(OID.basicConstraints), critical, tlv(TAG.octetString, sequence())),
    sequence(oid(OID.keyUsage), critical, tlv(TAG.octetString, usage)),
    sequence(oid(OID.extendedKeyUsage), tlv(TAG.octetString, sequence(oid(OID.clientAuth)))),
    ...(names.length === 0 ? [] : [sequence(oid(OID.subjectAltName), tlv(TAG.octetString, sequence(...names)))]),
  ];
}

function signatureAlgorithm(key: KeyObject): Buffer {
  if (key.asymmetricKeyType === "rsa") return sequence(oid(OID.sha256WithRsa), Buffer.of(5, 0));
  return sequence(oid(OID.ecdsaWithSha256));
}

/** Positive, whatever the number: a first octet of 1 stands before it. */
function serialOctets(serial: number): Buffer {
  const octets = Buffer.alloc(9);
  octets[0] = 1;
  octets.writeBigUInt64BE(BigInt(serial), 1);
  return octets;
}

function time(atMs: number): Buffer {
  const digits = new Date(atMs).toISOString().replace(/\.\d+Z$/, "Z");
  return tlv(TAG.generalizedTime, Buffer.from(digits.replaceAll(/[-:T]/g, ""), "latin1"));
}

function oid(hex: string): Buffer {
  return tlv(TAG.objectIdentifier, Buffer.from(hex, "hex"));
}

function sequence(...parts: readonly Uint8Array[]): Buffer {
  return tlv(TAG.sequence, ...parts);
}

function tlv(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  if (content.length < 128) return Buffer.concat([Buffer.of(tag, content.length), content]);
  const length =
    content.length < 256 ? Buffer.of(0x81, content.length) : Buffer.of(0x82, content.length >> 8, content.length & 255);
  return Buffer.concat([Buffer.of(tag), length, content]);
}

/** The subject of a certificate, as it is encoded: the issuer of what it signs has to be the same octets. */
function subjectOf(certificate: Buffer): Buffer {
  const fields = elements(elements(certificate)[0] ?? certificate);
  const hasVersion = fields[0]?.[0] === 0xa0;
  // Version, serial, algorithm, issuer, validity, subject.
  return fields[hasVersion ? 5 : 4] ?? Buffer.alloc(0);
}

/** The elements inside an element. */
function elements(element: Buffer): readonly Buffer[] {
  const found: Buffer[] = [];
  let at = headerLength(element);
  while (at < element.length) {
    const rest = element.subarray(at);
    const length = headerLength(rest) + contentLength(rest);
    found.push(rest.subarray(0, length));
    at += length;
  }
  return found;
}

function headerLength(element: Buffer): number {
  const first = element[1] ?? 0;
  return first < 0x80 ? 2 : 2 + (first & 0x7f);
}

function contentLength(element: Buffer): number {
  const first = element[1] ?? 0;
  return first < 0x80 ? first : element.readUIntBE(2, first & 0x7f);
}
