import { hkdfSync, type KeyObject } from "node:crypto";

/** Gives `bytes` octets for a purpose: the same for everybody who has the same CA key, and unlike those of other purposes. */
export type DeriveKey = (purpose: string, bytes: number) => Uint8Array;

/**
 * Keys out of a CA's private key: HKDF with SHA-256 (RFC 5869). The secret number alone goes in, so the file's PEM form
 * does not matter. Who has a derived key learns nothing of the CA's.
 */
export function keyDeriver(caKey: KeyObject): DeriveKey {
  const secret = Buffer.from(caKey.export({ format: "jwk" }).d ?? "", "base64url");
  return (purpose, bytes) => new Uint8Array(hkdfSync("sha256", secret, "", `openservicemesh.io ${purpose}`, bytes));
}
