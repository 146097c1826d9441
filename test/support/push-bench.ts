/** A push engine over the real mesh and the real generator, on the main thread, with a clock that tests move. */
import { encodeTrustBundle, SECRETS } from "../../src/envoy/mod.ts";
import { type LogFields, manualClock, metricsRegistry, silentLog } from "../../src/lib/mod.ts";
import { generateHere } from "../../src/main/generate-pool.ts";
import { createMeshStore, type RecordChange } from "../../src/mesh/mod.ts";
import { inlinePool, type Pool } from "../../src/platform/mod.ts";
import {
  createPushEngine,
  createResourceSource,
  type Push,
  type ResourceSourceOptions,
  type SecretSource,
  type TableSecrets,
} from "../../src/push/mod.ts";
import { type Peer, type Resource, type ResourceTable, TYPE_URLS } from "../../src/xds/resource.ts";
import { generateJob } from "../../workers/generate.ts";
import type { GenerateJob, GenerateResult } from "../../workers/messages.ts";

export interface PushBench extends ReturnType<typeof pushBench> {}

export interface PushBenchOptions {
  /** Takes the place of the generator, and sees all views unless the cheap ones are written here. */
  readonly pool?: Pool<GenerateJob, GenerateResult>;
  readonly writesCheapViews?: boolean;
  /** Takes the place of what writes the cheap ones. */
  readonly generateHere?: ResourceSourceOptions["generateHere"];
}

/** Starts an engine. */
export function pushBench(options: PushBenchOptions = {}) {
  const clock = manualClock(1_000_000);
  const metrics = metricsRegistry();
  const store = createMeshStore();
  const pushes: Push[] = [];
  const errors: LogFields[] = [];
  const log = { ...silentLog(), error: (_message: string, fields?: LogFields) => errors.push(fields ?? {}) };
  const pool = options.pool ?? inlinePool({ name: "generate", clock, log, metrics, load: async () => generateJob });
  const secrets = secretBench();
  const engine = createPushEngine({
    resources: createResourceSource({
      pool,
      lanes: 2,
      ...((options.writesCheapViews ?? options.pool === undefined)
        ? { generateHere: options.generateHere ?? generateHere }
        : {}),
      cacheBytesMax: 64 * 2 ** 20,
      clock,
      log,
      metrics,
    }),
    secrets: secrets.source,
    onPush(push) {
      pushes.push(push);
      return undefined;
    },
    clock,
    log,
    metrics,
  });
  const value = (name: string) => metrics.families().find((family) => family.name === name)?.series[0]?.value ?? 0;
  return {
    clock,
    engine,
    errors,
    pushes,
    secrets,
    store,
    /** Applies and publishes. */
    change(changes: readonly RecordChange[]) {
      const applied = store.apply(changes);
      engine.publish(store.snapshot(), applied);
      return applied;
    },
    counts: () => ({
      generated: value("osm_push_resources_generated_total"),
      hits: value("osm_push_cache_hits_total"),
      misses: value("osm_push_cache_misses_total"),
      tables: value("osm_push_tables_changed_total"),
    }),
    /** How often tables were looked at. */
    passes: () => metrics.families().find(({ name }) => name === "osm_push_pass_seconds")?.series[0]?.count ?? 0,
    subscribe(peer: Peer) {
      let calls = 0;
      const subscription = engine.subscribe(peer, () => {
        calls += 1;
      });
      return { ...subscription, calls: () => calls };
    },
  };
}

/** Secrets that are at hand at once, unless held back. */
function secretBench() {
  const byIdentity = new Map<string, TableSecrets>();
  const retained: string[] = [];
  let isHeld = false;
  let failure: Error | undefined;
  let version = 1;
  const key = ({ namespace, serviceAccount }: { namespace: string; serviceAccount: string }) =>
    `${namespace}/${serviceAccount}`;
  const resources = (): readonly Resource[] => [
    {
      typeUrl: TYPE_URLS.secret,
      name: SECRETS.serviceCertificate,
      version: `leaf-${version}`,
      bytes: new Uint8Array([version]),
    },
    {
      typeUrl: TYPE_URLS.secret,
      name: SECRETS.trustBundle,
      version: "roots",
      bytes: encodeTrustBundle({ name: SECRETS.trustBundle, rootsPem: "none" }),
    },
  ];
  const make = (): TableSecrets => ({ resources: resources() });
  const source: SecretSource = {
    current: (identity) => byIdentity.get(key(identity)),
    want(identity) {
      if (failure !== undefined && identity.namespace === failure.message) throw failure;
      if (!isHeld && !byIdentity.has(key(identity))) byIdentity.set(key(identity), make());
    },
    retain(isAlive) {
      for (const name of [...byIdentity.keys()]) {
        const [namespace = "", serviceAccount = ""] = name.split("/");
        if (isAlive({ namespace, serviceAccount })) retained.push(name);
        else byIdentity.delete(name);
      }
    },
  };
  return {
    source,
    names: () => [...byIdentity.keys()].sort(),
    hold(held: boolean) {
      isHeld = held;
    },
    /** Lets what is asked for identities of this namespace fail, until it is called without one. */
    fail(namespace?: string) {
      failure = namespace === undefined ? undefined : new Error(namespace);
    },
    renew(namespace: string, serviceAccount: string) {
      version += 1;
      byIdentity.set(`${namespace}/${serviceAccount}`, make());
    },
  };
}

/** Lets everything happen that needs no time to pass. */
export async function quiet(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** `type name -> version` of everything in a table. */
export function tableContent(table: ResourceTable | undefined): Readonly<Record<string, string>> {
  const content: Record<string, string> = {};
  for (const [short, typeUrl] of Object.entries(TYPE_URLS)) {
    for (const name of table?.names(typeUrl) ?? [])
      content[`${short} ${name}`] = table?.get(typeUrl, name)?.version ?? "";
  }
  return content;
}

export function peerOf(pod: {
  readonly namespace: string;
  readonly name: string;
  readonly serviceAccount: string;
  readonly proxyUuid?: string;
}): Peer {
  return { uuid: pod.proxyUuid ?? "", namespace: pod.namespace, pod: pod.name, serviceAccount: pod.serviceAccount };
}
