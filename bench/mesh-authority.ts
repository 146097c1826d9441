/** A CA for one run, so that servers of different makes can be spoken to with the same certificates. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { controllerNames, openAuthorityFolder, sidecarNames } from "../src/ca/mod.ts";
import { removedAtExit } from "../src/fleet/at-exit.ts";
import type { ProxySpec } from "../src/fleet/fleet-api.ts";
import { OSM_NAMESPACE, TRUST_DOMAIN, type WorldPod } from "../src/fleet/world-objects.ts";

/** What the server's certificate has to say, wherever it is reached. */
export const SERVER_NAME = `osm-controller.${OSM_NAMESPACE}.svc.cluster.local`;

const DAY_MS = 24 * 3_600_000;
const KEY = { keyAlgorithm: "ECDSA", keyBits: 2048 } as const;

export interface MeshAuthority {
  /** Holds `ca.crt` and `private.key`. */
  readonly dir: string;
  readonly rootsPem: string;
  server(): Promise<{ readonly certificatePem: string; readonly privateKeyPem: string }>;
  /** A well-behaved delta client for each pod. */
  proxies(pods: readonly Pick<WorldPod, "uuid" | "namespace" | "serviceAccount">[]): Promise<readonly ProxySpec[]>;
  close(): void;
}

export async function makeAuthority(): Promise<MeshAuthority> {
  const dir = mkdtempSync(join(tmpdir(), "osm-bench-ca-"));
  const close = removedAtExit(dir);
  const authority = await openAuthorityFolder(dir, Date.now());
  const issue = async (names: ReturnType<typeof sidecarNames>) => {
    const issued = await authority.issue({ ...names, ...KEY, validityMs: DAY_MS, nowMs: Date.now() });
    return { certificatePem: issued.certificatePem, privateKeyPem: issued.privateKeyPem.reveal() };
  };
  return {
    dir,
    rootsPem: authority.rootsPem,
    server: () => issue(controllerNames({ osmNamespace: OSM_NAMESPACE, trustDomain: TRUST_DOMAIN })),
    async proxies(pods) {
      const specs: ProxySpec[] = [];
      for (const [id, pod] of pods.entries()) {
        const credential = await issue(sidecarNames(pod, TRUST_DOMAIN));
        specs.push({ id, nodeId: pod.uuid, ...credential, protocol: "delta", behaviour: { kind: "normal" } });
      }
      return specs;
    },
    close,
  };
}
