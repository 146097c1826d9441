/** Keys of certificates: made, and written as the two forms that a certificate and its owner need. */
import { createECDH, type ECDH, generateKeyPair, type KeyObject } from "node:crypto";
import { promisify } from "node:util";
import { bitString, der, oid, pem, sequence, TAG } from "./der.ts";
import { readDer } from "./read-der.ts";
import { SecretText } from "./secret-text.ts";

const generateKeys = promisify(generateKeyPair);

/** Which key a leaf gets. `keyBits` is for RSA; ECDSA is P-256 always. */
export interface KeyChoice {
  readonly keyAlgorithm: "ECDSA" | "RSA";
  readonly keyBits: number;
}

/** A public key as a certificate carries it. */
export interface PublicKey {
  readonly isRsa: boolean;
  /** SubjectPublicKeyInfo, DER (RFC 5280 §4.1.2.7). */
  readonly spki: Uint8Array;
  /** The bits inside of it: what a key identifier is made of. */
  readonly bits: Uint8Array;
}

/** A new key pair. */
export interface LeafKey {
  readonly publicKey: PublicKey;
  /** PKCS #8, PEM. */
  readonly privateKeyPem: SecretText;
}

/** Gives a function that makes key pairs. */
export function leafKeyMaker(): (choice: KeyChoice) => Promise<LeafKey> {
  // One for all: making it costs a tenth of making a key.
  const pair = createECDH("prime256v1");
  return async ({ keyAlgorithm, keyBits }) => {
    if (keyAlgorithm === "ECDSA") return p256Key(pair);
    const { publicKey, privateKey } = await generateKeys("rsa", { modulusLength: keyBits });
    const privateKeyPem = new SecretText(privateKey.export({ type: "pkcs8", format: "pem" }) as string);
    return { publicKey: publicKeyOf(publicKey), privateKeyPem };
  };
}

/** A public key of `node:crypto`. */
export function publicKeyOf(key: KeyObject): PublicKey {
  const spki = key.export({ type: "spki", format: "der" });
  // SEQUENCE { algorithm, BIT STRING }; the first octet of the bits counts unused ones, of which there are none.
  const bits = readDer(spki).children[1]?.content.subarray(1) ?? spki;
  return { isRsa: key.asymmetricKeyType === "rsa", spki, bits };
}

const P256_SCALAR_BYTES = 32;
/** id-ecPublicKey on prime256v1 (RFC 5480 §2.1.1). */
const P256 = sequence(oid("1.2.840.10045.2.1"), oid("1.2.840.10045.3.1.7"));

/**
 * A P-256 key pair by way of ECDH, which gives numbers: `generateKeyPair` is as fast, but the export of its key objects
 * costs more than a whole leaf does.
 */
function p256Key(pair: ECDH): LeafKey {
  const point = pair.generateKeys();
  const scalar = Buffer.alloc(P256_SCALAR_BYTES);
  const digits = pair.getPrivateKey();
  // OpenSSL gives the number without leading zeros; RFC 5915 §3 wants it whole.
  digits.copy(scalar, P256_SCALAR_BYTES - digits.length);
  const publicBits = bitString(point);
  return {
    publicKey: { isRsa: false, spki: sequence(P256, publicBits), bits: point },
    privateKeyPem: new SecretText(pem("PRIVATE KEY", pkcs8(scalar, publicBits))),
  };
}

const VERSION_0 = der(TAG.integer, Buffer.of(0));
const VERSION_1 = der(TAG.integer, Buffer.of(1));

/** PrivateKeyInfo (RFC 5958 §2) around ECPrivateKey (RFC 5915 §3), the public key included as OpenSSL does. */
function pkcs8(scalar: Uint8Array, publicBits: Uint8Array): Buffer {
  const key = sequence(VERSION_1, der(TAG.octetString, scalar), der(0xa1, publicBits));
  return sequence(VERSION_0, P256, der(TAG.octetString, key));
}
