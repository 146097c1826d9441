/**
 * X.509 v3 certificates (RFC 5280) put together with node-forge's ASN.1 over keys and signatures of `node:crypto`. It
 * knows nothing of meshes, and takes every time and serial number from its caller.
 */
import type { KeyObject, X509Certificate } from "node:crypto";
import { createHash, sign } from "node:crypto";
import type { asn1 as Asn1Module } from "node-forge";
import asn1 from "node-forge/lib/asn1.js";
import { invariant } from "../lib/mod.ts";

type Asn1 = Asn1Module.Asn1;
const { Class, Type } = asn1;

const OID = {
  country: "2.5.4.6",
  locality: "2.5.4.7",
  organization: "2.5.4.10",
  commonName: "2.5.4.3",
  subjectKeyIdentifier: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  authorityKeyIdentifier: "2.5.29.35",
  extendedKeyUsage: "2.5.29.37",
  serverAuth: "1.3.6.1.5.5.7.3.1",
  clientAuth: "1.3.6.1.5.5.7.3.2",
  sha256WithRsa: "1.2.840.113549.1.1.11",
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
  ecdsaWithSha384: "1.2.840.10045.4.3.3",
} as const;

/** Attributes of a distinguished name, encoded in this order. */
export interface DistinguishedName {
  readonly country?: string;
  readonly locality?: string;
  readonly organization?: string;
  /** May be longer than the 64 characters of RFC 5280's upper bound: OSM's names are, and Envoy and OpenSSL read them. */
  readonly commonName: string;
}

interface Validity {
  /** Milliseconds since the epoch; whole seconds are encoded. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** What a leaf certificate says. */
export interface LeafContent extends Validity {
  readonly commonName: string;
  readonly dnsNames: readonly string[];
  readonly uris: readonly string[];
  /** IPv4 only. */
  readonly ipAddresses: readonly string[];
  readonly publicKey: KeyObject;
  /** 16 octets, big endian, first one in 1..127. */
  readonly serial: Uint8Array;
}

/** The issuing side of a signature. */
export interface Issuer {
  readonly certificate: X509Certificate;
  readonly privateKey: KeyObject;
}

/** Signs a leaf for both ends of TLS. Gives PEM. */
export function signLeaf(issuer: Issuer, leaf: LeafContent): string {
  const { subject, keyIdentifier } = readIssuer(issuer.certificate);
  const isRsa = leaf.publicKey.asymmetricKeyType === "rsa";
  const extensions = [
    // Digital signature; key encipherment has a meaning for RSA alone (RFC 5480 §3).
    keyUsage(isRsa ? [0, 2] : [0]),
    extension(OID.extendedKeyUsage, false, sequence(oid(OID.serverAuth), oid(OID.clientAuth))),
    extension(OID.basicConstraints, true, sequence()),
    subjectKeyIdentifier(leaf.publicKey),
    extension(OID.authorityKeyIdentifier, false, sequence(primitive(Class.CONTEXT_SPECIFIC, 0, keyIdentifier))),
    extension(OID.subjectAltName, false, alternativeNames(leaf)),
  ];
  return signed(issuer.privateKey, {
    ...leaf,
    issuer: subject,
    subject: distinguishedName({ commonName: leaf.commonName }),
    extensions,
  });
}

/** Signs a self-signed CA certificate that may issue leaves only. Gives PEM. */
export function signRoot(
  keys: { readonly publicKey: KeyObject; readonly privateKey: KeyObject },
  root: Validity & { readonly subject: DistinguishedName; readonly serial: Uint8Array },
): string {
  const subject = distinguishedName(root.subject);
  const extensions = [
    // Certificate and CRL signing.
    keyUsage([5, 6]),
    extension(
      OID.basicConstraints,
      true,
      sequence(primitive(Class.UNIVERSAL, Type.BOOLEAN, "\xff"), primitive(Class.UNIVERSAL, Type.INTEGER, "\x00")),
    ),
    subjectKeyIdentifier(keys.publicKey),
  ];
  return signed(keys.privateKey, { ...root, issuer: subject, subject, publicKey: keys.publicKey, extensions });
}

interface ToBeSigned extends Validity {
  readonly issuer: Asn1;
  readonly subject: Asn1;
  readonly serial: Uint8Array;
  readonly publicKey: KeyObject;
  readonly extensions: readonly Asn1[];
}

function signed(privateKey: KeyObject, content: ToBeSigned): string {
  const first = content.serial[0];
  invariant(
    content.serial.length === 16 && first !== undefined && first > 0 && first < 128,
    "a serial has 16 octets and is positive",
  );
  const { algorithm, digest } = signatureAlgorithm(privateKey);
  const tbs = sequence(
    context(0, primitive(Class.UNIVERSAL, Type.INTEGER, "\x02")),
    primitive(Class.UNIVERSAL, Type.INTEGER, binary(content.serial)),
    algorithm,
    content.issuer,
    sequence(time(content.notBeforeMs), time(content.notAfterMs)),
    content.subject,
    parse(content.publicKey.export({ type: "spki", format: "der" })),
    context(3, sequence(...content.extensions)),
  );
  const signature = sign(digest, Buffer.from(asn1.toDer(tbs).getBytes(), "latin1"), privateKey);
  const certificate = sequence(tbs, algorithm, primitive(Class.UNIVERSAL, Type.BITSTRING, `\x00${binary(signature)}`));
  const base64 = Buffer.from(asn1.toDer(certificate).getBytes(), "latin1").toString("base64");
  return `-----BEGIN CERTIFICATE-----\n${base64.replace(/.{64}(?!$)/g, "$&\n")}\n-----END CERTIFICATE-----\n`;
}

function signatureAlgorithm(key: KeyObject): { readonly algorithm: Asn1; readonly digest: string } {
  if (key.asymmetricKeyType === "rsa") {
    return {
      algorithm: sequence(oid(OID.sha256WithRsa), primitive(Class.UNIVERSAL, Type.NULL, "")),
      digest: "sha256",
    };
  }
  // RFC 5758 §3.2: no parameters. The digest follows the strength of the curve.
  return key.asymmetricKeyDetails?.namedCurve === "secp384r1" || key.asymmetricKeyDetails?.namedCurve === "p384"
    ? { algorithm: sequence(oid(OID.ecdsaWithSha384)), digest: "sha384" }
    : { algorithm: sequence(oid(OID.ecdsaWithSha256)), digest: "sha256" };
}

/** The issuer's subject as it stands in its certificate, and its key identifier (RFC 5280 §4.2.1.1). */
function readIssuer(certificate: X509Certificate): { readonly subject: Asn1; readonly keyIdentifier: string } {
  const tbs = children(children(parse(certificate.raw))[0]);
  // version [0] is there: a v1 certificate has no extensions and is no CA.
  const subject = tbs[5];
  invariant(subject !== undefined, "a CA certificate has a subject");
  const extensions = tbs.find((field) => field.tagClass === Class.CONTEXT_SPECIFIC && field.type === 3);
  for (const entry of children(children(extensions)[0])) {
    const [id, ...rest] = children(entry);
    if (id === undefined || asn1.derToOid(id.value as string) !== OID.subjectKeyIdentifier) continue;
    return { subject, keyIdentifier: parse(Buffer.from(rest.at(-1)?.value as string, "latin1")).value as string };
  }
  return { subject, keyIdentifier: keyIdentifierOf(certificate.publicKey) };
}

/** SHA-1 of the public key bits: method 1 of RFC 5280 §4.2.1.2. A name, not a protection. */
function keyIdentifierOf(publicKey: KeyObject): string {
  const bits = children(parse(publicKey.export({ type: "spki", format: "der" })))[1];
  invariant(typeof bits?.value === "string", "a public key has its bits");
  return binary(
    createHash("sha1")
      .update(Buffer.from(bits.value.slice(1), "latin1"))
      .digest(),
  );
}

function subjectKeyIdentifier(publicKey: KeyObject): Asn1 {
  return extension(
    OID.subjectKeyIdentifier,
    false,
    primitive(Class.UNIVERSAL, Type.OCTETSTRING, keyIdentifierOf(publicKey)),
  );
}

function keyUsage(bits: readonly number[]): Asn1 {
  const highest = Math.max(...bits);
  const octet = bits.reduce((value, bit) => value | (0x80 >> bit), 0);
  return extension(
    OID.keyUsage,
    true,
    primitive(Class.UNIVERSAL, Type.BITSTRING, String.fromCharCode(7 - highest, octet)),
  );
}

function alternativeNames(leaf: LeafContent): Asn1 {
  return sequence(
    ...leaf.dnsNames.map((name) => primitive(Class.CONTEXT_SPECIFIC, 2, name)),
    ...leaf.uris.map((uri) => primitive(Class.CONTEXT_SPECIFIC, 6, uri)),
    ...leaf.ipAddresses.map((address) =>
      primitive(Class.CONTEXT_SPECIFIC, 7, String.fromCharCode(...address.split(".").map(Number))),
    ),
  );
}

function distinguishedName(name: DistinguishedName): Asn1 {
  const attribute = (id: string, type: Asn1Module.Type, value: string | undefined) =>
    value === undefined
      ? []
      : [node(Type.SET, [sequence(oid(id), primitive(Class.UNIVERSAL, type, binary(Buffer.from(value, "utf8"))))])];
  return sequence(
    ...attribute(OID.country, Type.PRINTABLESTRING, name.country),
    ...attribute(OID.locality, Type.UTF8, name.locality),
    ...attribute(OID.organization, Type.UTF8, name.organization),
    ...attribute(OID.commonName, Type.UTF8, name.commonName),
  );
}

/** RFC 5280 §4.1.2.5: UTCTime through 2049, GeneralizedTime after. */
function time(ms: number): Asn1 {
  const date = new Date(ms);
  return date.getUTCFullYear() < 2050
    ? primitive(Class.UNIVERSAL, Type.UTCTIME, asn1.dateToUtcTime(date) as string)
    : primitive(Class.UNIVERSAL, Type.GENERALIZEDTIME, asn1.dateToGeneralizedTime(date) as string);
}

function extension(id: string, isCritical: boolean, value: Asn1): Asn1 {
  return sequence(
    oid(id),
    ...(isCritical ? [primitive(Class.UNIVERSAL, Type.BOOLEAN, "\xff")] : []),
    primitive(Class.UNIVERSAL, Type.OCTETSTRING, asn1.toDer(value).getBytes()),
  );
}

function parse(der: Uint8Array): Asn1 {
  return asn1.fromDer(binary(der), { strict: true, decodeBitStrings: false } as unknown as boolean);
}

function children(value: Asn1 | undefined): Asn1[] {
  return Array.isArray(value?.value) ? value.value : [];
}

function node(type: Asn1Module.Type, value: Asn1[]): Asn1 {
  return asn1.create(Class.UNIVERSAL, type, true, value);
}
function sequence(...value: Asn1[]): Asn1 {
  return node(Type.SEQUENCE, value);
}
function context(tag: number, value: Asn1): Asn1 {
  return asn1.create(Class.CONTEXT_SPECIFIC, tag, true, [value]);
}
function primitive(tagClass: Asn1Module.Class, type: number, value: string): Asn1 {
  return asn1.create(tagClass, type, false, value);
}
function oid(id: string): Asn1 {
  return primitive(Class.UNIVERSAL, Type.OID, asn1.oidToDer(id).getBytes());
}
/** node-forge's byte strings: one character an octet. */
function binary(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}
