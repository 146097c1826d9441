/**
 * X.509 v3 certificates (RFC 5280), written as DER around signatures of `node:crypto`. It knows nothing of meshes, and
 * takes every time and serial number from its caller.
 */
import { hash, type KeyObject, sign, type X509Certificate } from "node:crypto";
import { invariant } from "../lib/mod.ts";
import { bitString, context, contextOf, der, oid, pem, sequence, TAG, text, time } from "./der.ts";
import { type PublicKey, publicKeyOf } from "./leaf-key.ts";
import { readDer } from "./read-der.ts";

const OID = {
  country: oid("2.5.4.6"),
  locality: oid("2.5.4.7"),
  organization: oid("2.5.4.10"),
  commonName: oid("2.5.4.3"),
  subjectKeyIdentifier: oid("2.5.29.14"),
  keyUsage: oid("2.5.29.15"),
  subjectAltName: oid("2.5.29.17"),
  basicConstraints: oid("2.5.29.19"),
  authorityKeyIdentifier: oid("2.5.29.35"),
  extendedKeyUsage: oid("2.5.29.37"),
  serverAuth: oid("1.3.6.1.5.5.7.3.1"),
  clientAuth: oid("1.3.6.1.5.5.7.3.2"),
  sha256WithRsa: oid("1.2.840.113549.1.1.11"),
  ecdsaWithSha256: oid("1.2.840.10045.4.3.2"),
  ecdsaWithSha384: oid("1.2.840.10045.4.3.3"),
} as const;

const TRUE = der(TAG.boolean, Buffer.of(0xff));
const VERSION_3 = der(contextOf(0), der(TAG.integer, Buffer.of(2)));

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
  readonly publicKey: PublicKey;
  /** 16 octets, big endian, first one in 1..127. */
  readonly serial: Uint8Array;
}

/** Signs a leaf for both ends of TLS. Gives PEM. */
export type SignLeaf = (leaf: LeafContent) => string;

// Digital signature; key encipherment has a meaning for RSA alone (RFC 5480 §3).
const EC_KEY_USAGE = keyUsage([0]);
const RSA_KEY_USAGE = keyUsage([0, 2]);
/** Extensions that every leaf has: both ends of TLS, no CA. */
const LEAF_EXTENSIONS = Buffer.concat([
  extension(OID.extendedKeyUsage, false, sequence(OID.serverAuth, OID.clientAuth)),
  extension(OID.basicConstraints, true, sequence()),
]);

/** The issuing side, opened once: what its leaves have in common is encoded here. */
export function leafSigner(issuer: {
  readonly certificate: X509Certificate;
  readonly privateKey: KeyObject;
}): SignLeaf {
  const { subject, keyIdentifier } = readIssuer(issuer.certificate);
  const signature = signatureOf(issuer.privateKey);
  const authorityKeyIdentifier = extension(OID.authorityKeyIdentifier, false, sequence(der(context(0), keyIdentifier)));
  const validityOf = rememberingLast(validity);
  return (leaf) =>
    signed(signature, {
      serial: leaf.serial,
      publicKey: leaf.publicKey,
      validity: validityOf(leaf),
      issuer: subject,
      subject: distinguishedName({ commonName: leaf.commonName }),
      extensions: [
        leaf.publicKey.isRsa ? RSA_KEY_USAGE : EC_KEY_USAGE,
        LEAF_EXTENSIONS,
        subjectKeyIdentifier(leaf.publicKey),
        authorityKeyIdentifier,
        extension(OID.subjectAltName, false, alternativeNames(leaf)),
      ],
    });
}

/** Signs a self-signed CA certificate that may issue leaves only. Gives PEM. */
export function signRoot(
  keys: { readonly publicKey: KeyObject; readonly privateKey: KeyObject },
  root: Validity & { readonly subject: DistinguishedName; readonly serial: Uint8Array },
): string {
  const subject = distinguishedName(root.subject);
  const publicKey = publicKeyOf(keys.publicKey);
  const extensions = [
    // Certificate and CRL signing.
    keyUsage([5, 6]),
    extension(OID.basicConstraints, true, sequence(TRUE, der(TAG.integer, Buffer.of(0)))),
    subjectKeyIdentifier(publicKey),
  ];
  return signed(signatureOf(keys.privateKey), {
    serial: root.serial,
    publicKey,
    validity: validity(root),
    issuer: subject,
    subject,
    extensions,
  });
}

function validity({ notBeforeMs, notAfterMs }: Validity): Buffer {
  return sequence(time(notBeforeMs), time(notAfterMs));
}

/** Leaves that are made together say the same times. */
function rememberingLast(encode: (said: Validity) => Buffer): (said: Validity) => Buffer {
  let last: Validity = { notBeforeMs: Number.NaN, notAfterMs: Number.NaN };
  let encoded: Buffer = Buffer.alloc(0);
  return (said) => {
    if (said.notBeforeMs === last.notBeforeMs && said.notAfterMs === last.notAfterMs) return encoded;
    last = { notBeforeMs: said.notBeforeMs, notAfterMs: said.notAfterMs };
    encoded = encode(last);
    return encoded;
  };
}

interface ToBeSigned {
  readonly validity: Uint8Array;
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly serial: Uint8Array;
  readonly publicKey: PublicKey;
  readonly extensions: readonly Uint8Array[];
}

interface Signature {
  readonly algorithm: Uint8Array;
  readonly sign: (bytes: Uint8Array) => Buffer;
}

function signed(signature: Signature, content: ToBeSigned): string {
  const first = content.serial[0];
  invariant(
    content.serial.length === 16 && first !== undefined && first > 0 && first < 128,
    "a serial has 16 octets and is positive",
  );
  const tbs = sequence(
    VERSION_3,
    der(TAG.integer, content.serial),
    signature.algorithm,
    content.issuer,
    content.validity,
    content.subject,
    content.publicKey.spki,
    der(contextOf(3), sequence(...content.extensions)),
  );
  return pem("CERTIFICATE", sequence(tbs, signature.algorithm, bitString(signature.sign(tbs))));
}

function signatureOf(key: KeyObject): Signature {
  if (key.asymmetricKeyType === "rsa") {
    return {
      algorithm: sequence(OID.sha256WithRsa, der(TAG.null)),
      sign: (bytes) => sign("sha256", bytes, key),
    };
  }
  // RFC 5758 §3.2: no parameters. The digest follows the strength of the curve.
  const curve = key.asymmetricKeyDetails?.namedCurve;
  return curve === "secp384r1" || curve === "p384"
    ? { algorithm: sequence(OID.ecdsaWithSha384), sign: (bytes) => sign("sha384", bytes, key) }
    : { algorithm: sequence(OID.ecdsaWithSha256), sign: (bytes) => sign("sha256", bytes, key) };
}

/** The issuer's subject as it stands in its certificate, and its key identifier (RFC 5280 §4.2.1.1). */
function readIssuer(certificate: X509Certificate): {
  readonly subject: Uint8Array;
  readonly keyIdentifier: Uint8Array;
} {
  const [tbs] = readDer(certificate.raw).children;
  const fields = tbs?.children ?? [];
  // version [0] is there: a v1 certificate has no extensions and is no CA.
  const subject = fields[5]?.raw();
  invariant(subject !== undefined, "a CA certificate has a subject");
  const extensions = fields.find(({ tag }) => tag === contextOf(3))?.children[0];
  for (const { children } of extensions?.children ?? []) {
    const [id, ...rest] = children;
    if (id === undefined || !OID.subjectKeyIdentifier.equals(id.raw())) continue;
    const octets = rest.at(-1)?.content;
    invariant(octets !== undefined, "an extension holds an octet string");
    return { subject, keyIdentifier: readDer(octets).content };
  }
  return { subject, keyIdentifier: keyIdentifierOf(publicKeyOf(certificate.publicKey)) };
}

/** SHA-1 of the public key bits: method 1 of RFC 5280 §4.2.1.2. A name, not a protection. */
function keyIdentifierOf({ bits }: PublicKey): Buffer {
  return hash("sha1", bits, "buffer");
}

function subjectKeyIdentifier(publicKey: PublicKey): Buffer {
  return extension(OID.subjectKeyIdentifier, false, der(TAG.octetString, keyIdentifierOf(publicKey)));
}

function keyUsage(bits: readonly number[]): Buffer {
  const highest = Math.max(...bits);
  const octet = bits.reduce((value, bit) => value | (0x80 >> bit), 0);
  return extension(OID.keyUsage, true, der(TAG.bitString, Buffer.of(7 - highest, octet)));
}

function alternativeNames({ dnsNames, uris, ipAddresses }: LeafContent): Buffer {
  return sequence(
    ...dnsNames.map((name) => text(context(2), name)),
    ...uris.map((uri) => text(context(6), uri)),
    ...ipAddresses.map((address) => der(context(7), Buffer.from(address.split(".").map(Number)))),
  );
}

function distinguishedName(name: DistinguishedName): Buffer {
  const attribute = (id: Uint8Array, tag: number, value: string | undefined) =>
    value === undefined ? [] : [der(TAG.set, sequence(id, text(tag, value)))];
  return sequence(
    ...attribute(OID.country, TAG.printableString, name.country),
    ...attribute(OID.locality, TAG.utf8String, name.locality),
    ...attribute(OID.organization, TAG.utf8String, name.organization),
    ...attribute(OID.commonName, TAG.utf8String, name.commonName),
  );
}

function extension(id: Uint8Array, isCritical: boolean, value: Uint8Array): Buffer {
  const octets = der(TAG.octetString, value);
  return isCritical ? sequence(id, TRUE, octets) : sequence(id, octets);
}
