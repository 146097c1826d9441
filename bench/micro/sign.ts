import { createAuthorityPem, openAuthority, serviceNames } from "../../src/ca/mod.ts";
import type { TimingGroup } from "./timing.ts";

const DAY_MS = 86_400_000;
const NOW_MS = Date.UTC(2026, 0, 1);

/** A service certificate: key, certificate and signature. */
export const signTimings: TimingGroup = {
  name: "sign",
  async make() {
    const pem = await createAuthorityPem(NOW_MS);
    const authority = openAuthority(pem, NOW_MS, { certificate: "ca.crt", key: "private.key" });
    const request = {
      ...serviceNames({ namespace: "shop", serviceAccount: "bookstore" }, "cluster.local"),
      validityMs: DAY_MS,
      nowMs: NOW_MS,
    };
    return [
      { name: "P-256 leaf", run: () => authority.issue({ ...request, keyAlgorithm: "ECDSA", keyBits: 2048 }) },
      {
        name: "RSA-2048 leaf",
        calls: 10,
        run: () => authority.issue({ ...request, keyAlgorithm: "RSA", keyBits: 2048 }),
      },
    ];
  },
};
