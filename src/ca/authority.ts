/** The certificate authority of a mesh: one issuing key, leaves for names. It keeps no list of what it issued. */
import type { KeyObject } from "node:crypto";
import { createPrivateKey, createPublicKey, generateKeyPair, randomBytes, X509Certificate } from "node:crypto";
import { promisify } from "node:util";
import { contentHash } from "../lib/mod.ts";
import { leafSigner, signRoot } from "./certificate.ts";
import type { CertificateNames } from "./certificate-names.ts";
import { type DeriveKey, keyDeriver } from "./key-derivation.ts";
import { type KeyChoice, leafKeyMaker } from "./leaf-key.ts";
import { SecretText } from "./secret-text.ts";

const generateKeys = promisify(generateKeyPair);

/** Certificates are valid from a little before they are made, for peers whose clocks are behind. */
const BACKDATE_MS = 5 * 60_000;
const ROOT_VALIDITY_MS = 10 * 365 * 24 * 3_600_000;
const RSA_BITS_MIN = 2048;
const PEM_BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** A leaf certificate with its key, both PEM. */
export interface IssuedCertificate {
  readonly certificatePem: string;
  readonly privateKeyPem: SecretText;
  readonly issuerId: string;
  /** 32 hex digits. */
  readonly serial: string;
  readonly notAfterMs: number;
}

/** Answers are certificates that verify against `rootsPem`. */
export interface Authority {
  /** What peers must trust: everything that was given as the CA's certificate, PEM. */
  readonly rootsPem: string;
  /** Names the issuing certificate: equal for equal certificates, on every replica. */
  readonly issuerId: string;
  readonly notAfterMs: number;
  /**
   * Makes a key and signs a certificate for it, valid for `validityMs` from `nowMs` but never longer than the CA's own.
   * Throws {@link AuthorityError} when the CA has expired.
   */
  issue(
    request: CertificateNames & KeyChoice & { readonly validityMs: number; readonly nowMs: number },
  ): Promise<IssuedCertificate>;
  /** Keys for other purposes than certificates. */
  readonly derive: DeriveKey;
}

/** Something is wrong with the CA that the user gave, or with its age; the message is a sentence for a person. */
export class AuthorityError extends Error {
  override readonly name = "AuthorityError";
  readonly code = "authority-unusable";
}

/** A CA's two files, as OSM's CA secret names them: `ca.crt` and `private.key`. */
export interface AuthorityPem {
  readonly certificatePem: string;
  readonly privateKeyPem: SecretText;
}

/** Makes a new self-signed CA: P-256, ten years, with the subject that OSM's own CA has. */
export async function createAuthorityPem(nowMs: number): Promise<AuthorityPem> {
  const keys = await generateKeys("ec", { namedCurve: "P-256" });
  const certificatePem = signRoot(keys, {
    subject: {
      country: "US",
      locality: "CA",
      organization: "Open Service Mesh",
      commonName: "osm-ca.openservicemesh.io",
    },
    serial: serials()(),
    notBeforeMs: nowMs - BACKDATE_MS,
    notAfterMs: nowMs + ROOT_VALIDITY_MS,
  });
  const privateKeyPem = new SecretText(keys.privateKey.export({ type: "pkcs8", format: "pem" }) as string);
  return { certificatePem, privateKeyPem };
}

/**
 * Checks that certificate and key can issue, and opens them. The first certificate is the issuer; more may follow, up to
 * the root. `names` says where the two came from, for messages. Throws {@link AuthorityError}.
 */
export function openAuthority(
  pem: AuthorityPem,
  nowMs: number,
  names: { readonly certificate: string; readonly key: string },
): Authority {
  const privateKey = readKey(pem.privateKeyPem, names.key);
  const certificates = readCertificates(pem.certificatePem, names.certificate);
  const certificate = certificates[0];
  if (certificate === undefined) throw new AuthorityError(`"${names.certificate}" holds no PEM certificate`);
  if (!certificate.ca) {
    throw new AuthorityError(`"${names.certificate}" is no CA: its certificate must have the basic constraint CA:TRUE`);
  }
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new AuthorityError(`"${names.key}" is not the key of the first certificate in "${names.certificate}"`);
  }
  const notAfterMs = Date.parse(certificate.validTo);
  if (notAfterMs <= nowMs)
    throw new AuthorityError(`The CA in "${names.certificate}" expired on ${certificate.validTo}`);
  return authority({ certificate, privateKey }, certificates.map((each) => each.toString()).join(""), notAfterMs);
}

interface Issuer {
  readonly certificate: X509Certificate;
  readonly privateKey: KeyObject;
}

function authority(issuer: Issuer, rootsPem: string, caNotAfterMs: number): Authority {
  const signLeaf = leafSigner(issuer);
  const makeKey = leafKeyMaker();
  const newSerial = serials();
  const issuerId = contentHash(issuer.certificate.raw).slice(0, 16);
  const caNotBeforeMs = Date.parse(issuer.certificate.validFrom);
  return {
    rootsPem,
    issuerId,
    notAfterMs: caNotAfterMs,
    derive: keyDeriver(issuer.privateKey),
    async issue(request) {
      // Certificates carry whole seconds.
      const notAfterMs = Math.floor(Math.min(request.nowMs + request.validityMs, caNotAfterMs) / 1000) * 1000;
      if (notAfterMs <= request.nowMs) {
        throw new AuthorityError(`The CA expired on ${issuer.certificate.validTo}: no certificate can be issued`);
      }
      const { publicKey, privateKeyPem } = await makeKey(request);
      const serial = newSerial();
      const certificatePem = signLeaf({
        ...request,
        publicKey,
        serial,
        notBeforeMs: Math.max(request.nowMs - BACKDATE_MS, caNotBeforeMs),
        notAfterMs,
      });
      return {
        certificatePem,
        privateKeyPem,
        issuerId,
        serial: Buffer.from(serial).toString("hex"),
        notAfterMs,
      };
    },
  };
}

function readKey(pem: SecretText, name: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem.reveal());
  } catch {
    // The cause may quote the file, which is a secret.
    throw new AuthorityError(`"${name}" cannot be read: it must be an unencrypted private key in PEM`);
  }
  const isUsable =
    key.asymmetricKeyType === "rsa"
      ? modulusBits(key) >= RSA_BITS_MIN
      : key.asymmetricKeyType === "ec" && isKnownCurve(key.asymmetricKeyDetails?.namedCurve);
  if (!isUsable) {
    throw new AuthorityError(
      `"${name}" has a key that proxies cannot use: it must be ECDSA on P-256 or P-384, or RSA of ${RSA_BITS_MIN} bits or more`,
    );
  }
  return key;
}

/** Node says it in `asymmetricKeyDetails`; where a runtime does not, the public key's modulus tells. */
function modulusBits(key: KeyObject): number {
  const modulus = createPublicKey(key).export({ format: "jwk" }).n ?? "";
  return key.asymmetricKeyDetails?.modulusLength ?? Buffer.from(modulus, "base64url").length * 8;
}

function isKnownCurve(curve: string | undefined): boolean {
  return curve === "prime256v1" || curve === "secp384r1" || curve === "p256" || curve === "p384";
}

function readCertificates(pem: string, name: string): X509Certificate[] {
  try {
    return [...pem.matchAll(PEM_BLOCK)].map(([block]) => new X509Certificate(block));
  } catch (cause) {
    throw new AuthorityError(`"${name}" has a certificate that cannot be read: it must be X.509 in PEM`, { cause });
  }
}

const SERIAL_BYTES = 16;
/** Random bytes are drawn for this many serials at once: the call costs as much as a tenth of a leaf. */
const SERIALS_DRAWN = 64;

/** Serials of 126 random bits in 16 octets: positive, never shortened by DER. */
function serials(): () => Uint8Array {
  let drawn = new Uint8Array(0);
  return () => {
    if (drawn.length === 0) drawn = randomBytes(SERIAL_BYTES * SERIALS_DRAWN);
    const serial = drawn.subarray(0, SERIAL_BYTES);
    drawn = drawn.subarray(SERIAL_BYTES);
    serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
    return serial;
  };
}
