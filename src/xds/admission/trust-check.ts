import type { X509Certificate } from "node:crypto";
import { certificatesOf } from "./server-credentials.ts";

/** Certificates that are known to be trusted; the first of them are forgotten first. */
const KNOWN_MAX = 20_000;

/** Whether a client's certificate was issued by a CA that is in force now. */
export interface TrustCheck {
  isTrusted(certificate: X509Certificate): boolean;
  renew(clientCaPem: string): void;
}

/**
 * A resumed TLS session says who the client was when the session began; its CA may have been given up since. Leaves are
 * issued by a root itself, so that one signature says it.
 */
export function trustCheck(clientCaPem: string): TrustCheck {
  let roots = certificatesOf(clientCaPem);
  const known = new Set<string>();
  return {
    isTrusted(certificate) {
      const { fingerprint256: fingerprint } = certificate;
      if (known.has(fingerprint)) return true;
      const isTrusted = roots.some((root) => certificate.checkIssued(root) && certificate.verify(root.publicKey));
      if (!isTrusted) return false;
      known.add(fingerprint);
      const [first] = known;
      if (known.size > KNOWN_MAX && first !== undefined) known.delete(first);
      return true;
    },
    renew(pem) {
      roots = certificatesOf(pem);
      known.clear();
    },
  };
}
