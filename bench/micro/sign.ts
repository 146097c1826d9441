import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAuthorityPem, openAuthority, serviceNames } from "../../src/ca/mod.ts";
import { removedAtExit } from "../../src/fleet/at-exit.ts";
import { metricsRegistry, silentLog, systemClock } from "../../src/lib/mod.ts";
import { openMeshSecrets } from "../../src/main/mesh-secrets.ts";
import { DEFAULT_SETTINGS } from "../../src/mesh/mod.ts";
import type { TimingGroup } from "./timing.ts";

const DAY_MS = 86_400_000;
const NOW_MS = Date.UTC(2026, 0, 1);
const IDENTITIES = 5000;

/** A service certificate: key, certificate and signature; and very many of them. */
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
    const rotateAll = await heldLeaves();
    return [
      { name: "P-256 leaf", run: () => authority.issue({ ...request, keyAlgorithm: "ECDSA", keyBits: 2048 }) },
      {
        name: "RSA-2048 leaf",
        calls: 10,
        run: () => authority.issue({ ...request, keyAlgorithm: "RSA", keyBits: 2048 }),
      },
      { name: `rotate ${IDENTITIES} leaves, to the last table`, calls: 10, run: rotateAll },
    ];
  },
};

/** The secrets of a mesh in which every identity holds a leaf, and a function that replaces them all. */
async function heldLeaves(): Promise<() => Promise<number>> {
  const caDir = mkdtempSync(join(tmpdir(), "osm-bench-ca-"));
  const remove = removedAtExit(caDir);
  const secrets = await openMeshSecrets({
    caDir,
    trustDomain: "cluster.local",
    osmNamespace: "osm-system",
    hasThread: true,
    settings: DEFAULT_SETTINGS,
    onChange: () => undefined,
    clock: systemClock(),
    random: Math.random,
    log: silentLog(),
    metrics: metricsRegistry(),
  });
  for (let n = 0; n < IDENTITIES; n++) {
    const identity = { namespace: `ns-${n % 50}`, serviceAccount: `account-${n}` };
    secrets.source.want(identity);
    secrets.source.current(identity)?.isAwaited?.("service-cert");
  }
  await secrets.rotateAll();
  // The signer has read it.
  remove();
  return () => secrets.rotateAll();
}
