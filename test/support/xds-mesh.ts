import {
  type Authority,
  controllerNames,
  createAuthorityPem,
  openAuthority,
  type SidecarIdentity,
  sidecarNames,
} from "../../src/ca/mod.ts";
import type { ResourceTable, TableSource } from "../../src/xds/resource.ts";
import type { ClientCredentials } from "./delta-client.ts";

const TRUST_DOMAIN = "cluster.local";
const KEY = { keyAlgorithm: "ECDSA", keyBits: 2048 } as const;
const DAY_MS = 24 * 3_600_000;

/** A CA for one test, and the credentials that it hands out. */
export interface TestAuthority {
  readonly rootsPem: string;
  server(): Promise<{ certificatePem: string; privateKeyPem: string; clientCaPem: string }>;
  sidecar(identity: SidecarIdentity, validityMs?: number): Promise<ClientCredentials>;
}

export async function testAuthority(): Promise<TestAuthority> {
  const names = { certificate: "ca.crt", key: "private.key" };
  const authority: Authority = openAuthority(await createAuthorityPem(Date.now()), Date.now(), names);
  return {
    rootsPem: authority.rootsPem,
    async server() {
      const issued = await authority.issue({
        ...controllerNames({ osmNamespace: "osm-system", trustDomain: TRUST_DOMAIN }),
        ...KEY,
        validityMs: DAY_MS,
        nowMs: Date.now(),
      });
      const { certificatePem, privateKeyPem } = issued;
      return { certificatePem, privateKeyPem: privateKeyPem.reveal(), clientCaPem: authority.rootsPem };
    },
    async sidecar(identity, validityMs = DAY_MS) {
      const issued = await authority.issue({
        ...sidecarNames(identity, TRUST_DOMAIN),
        ...KEY,
        validityMs,
        nowMs: Date.now(),
      });
      const { certificatePem, privateKeyPem } = issued;
      return { certificatePem, privateKeyPem: privateKeyPem.reveal(), rootsPem: authority.rootsPem };
    },
  };
}

/** One table for every proxy, changed by the test. */
export interface TestTables extends TableSource {
  publish(table: ResourceTable): void;
  readonly subscribers: number;
}

export function testTables(): TestTables {
  const listeners = new Set<() => void>();
  let current: ResourceTable | undefined;
  return {
    subscribe(_peer, onChange) {
      const listener = () => onChange();
      listeners.add(listener);
      return { current: () => current, close: () => void listeners.delete(listener) };
    },
    publish(table) {
      current = table;
      for (const listener of listeners) listener();
    },
    get subscribers() {
      return listeners.size;
    },
  };
}
