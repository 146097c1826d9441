/**
 * The whole line in one process, from Kubernetes objects to the bytes of responses: translation, store, push engine, the
 * server's sessions, and a {@link CountingProxy} on an in-memory transport for each pod. Nothing in it takes time or chance.
 */
import type { World, WorldPod } from "../../bench/world.ts";
import type { KubeObject } from "../../src/kube/objects.ts";
import { type Metrics, manualClock, metricsRegistry, silentLog } from "../../src/lib/mod.ts";
import { generateHere } from "../../src/main/generate-pool.ts";
import { createMeshStore } from "../../src/mesh/mod.ts";
import { inlinePool } from "../../src/platform/mod.ts";
import { createPushEngine, createResourceSource, type ResourceSource } from "../../src/push/mod.ts";
import { createTranslation } from "../../src/translate/mod.ts";
import { DEFAULT_STREAM_LIMITS, type TableSource } from "../../src/xds/mod.ts";
import { openSessions } from "../../src/xds/sessions/sessions.ts";
import { xdsMetrics } from "../../src/xds/sessions/xds-metrics.ts";
import { generateJob } from "../../workers/generate.ts";
import { pushBench, quiet } from "../support/push-bench.ts";
import { CountingProxy, noTraffic, type Traffic } from "./proxy.ts";

/** What one action cost. */
export interface Cost extends Traffic {
  /** Resources that were made by the generator, whether or not anybody was sent one. */
  readonly generated: number;
  /** Proxies that were sent something. */
  readonly proxies: number;
  readonly refused: number;
}

/** Parts that a test may replace by broken ones, to see that the counts tell. */
export interface Parts {
  /** `make` gives another source with nothing in its cache. */
  readonly resources?: (source: ResourceSource, make: () => ResourceSource) => ResourceSource;
  readonly tables?: (source: TableSource) => TableSource;
}

export interface Line {
  readonly proxies: readonly CountingProxy[];
  /** Takes objects in as one batch. */
  apply(...objects: readonly KubeObject[]): Promise<Cost>;
  connect(proxies: readonly CountingProxy[], options?: { readonly isCold?: boolean }): Promise<Cost>;
  /** The identity of a pod gets another leaf. */
  renewLeaf(pod: WorldPod): Promise<Cost>;
}

const START_MS = 1_000_000;
/** Longer than any pause that the engine makes after a push, and than streams wait for a reconnecting proxy's requests. */
const SETTLE_MS = 2_000;

/** Starts the line on a world, with a proxy for each pod; none of them is connected yet. */
export async function startLine(world: World, parts: Parts = {}): Promise<Line> {
  const clock = manualClock(START_MS);
  const metrics = metricsRegistry();
  const { secrets } = pushBench();
  const log = silentLog();
  const pool = inlinePool({ name: "generate", clock, log, metrics, load: async () => generateJob });
  const generators: Metrics[] = [];
  const make = () => {
    const own = metricsRegistry();
    generators.push(own);
    return createResourceSource({
      pool,
      generateHere,
      lanes: 2,
      cacheBytesMax: 64 * 2 ** 20,
      clock,
      log,
      metrics: own,
    });
  };
  const resources = make();
  const engine = createPushEngine({
    resources: parts.resources?.(resources, make) ?? resources,
    secrets: secrets.source,
    onPush: () => undefined,
    clock,
    log,
    metrics,
  });
  const byUuid = new Map(world.pods.map((pod) => [pod.uuid, pod]));
  const nobody = () => undefined;
  let refused = 0;
  const sessions = openSessions({
    authenticate({ commonName }) {
      const pod = byUuid.get(commonName);
      if (pod === undefined) return { refusal: "there is no such pod" };
      return { uuid: pod.uuid, namespace: pod.namespace, pod: pod.name, serviceAccount: pod.serviceAccount };
    },
    tables: parts.tables?.(engine) ?? engine,
    observe: {
      connected: nobody,
      disconnected: nobody,
      sent: nobody,
      acked: nobody,
      held: nobody,
      settled: nobody,
      nacked() {
        refused += 1;
      },
    },
    limits: {
      ...DEFAULT_STREAM_LIMITS,
      streamsMax: 20_000,
      streamsPerPeerMax: 4,
      firstRequestMs: 10_000,
      quietMs: 100,
    },
    metrics: xdsMetrics(metrics),
    clock,
    log,
  });
  const proxies = world.pods.map((pod) => new CountingProxy(pod));
  const translation = createTranslation({ meshName: "osm", osmNamespace: "osm-system" });
  const store = createMeshStore();
  const take = async (changes: Parameters<typeof store.apply>[0]) => {
    const applied = store.apply(changes);
    engine.publish(store.snapshot(), applied);
  };
  await take(
    translation.apply([{ type: "reset", source: "test", objects: world.objects.map((object) => ({ object })) }]),
  );

  const costOf = async (action: () => unknown): Promise<Cost> => {
    const before = { generated: generatedBy(generators), refused };
    await action();
    await settle(clock);
    const all = proxies.map((proxy) => proxy.take());
    const ended = proxies.find(({ end }) => end !== undefined);
    if (ended !== undefined) throw new Error(`the stream of ${ended.pod.name} ended: ${ended.end}`);
    return {
      ...sum(all),
      generated: generatedBy(generators) - before.generated,
      refused: refused - before.refused,
      proxies: all.filter(({ responses }) => responses > 0).length,
    };
  };
  await costOf(() => undefined);
  return {
    proxies,
    apply: (...objects) =>
      costOf(() => take(translation.apply(objects.map((object) => ({ type: "apply", source: "test", object }))))),
    connect: (some, options) =>
      costOf(() => {
        for (const proxy of some) proxy.connect(sessions.open, options);
      }),
    renewLeaf: (pod) =>
      costOf(() => {
        secrets.renew(pod.namespace, pod.serviceAccount);
        engine.secretsChanged(pod);
      }),
  };
}

/** On this thread, as endpoints and routes are, or by the pool. */
function generatedBy(sources: readonly Metrics[]): number {
  const families = sources.flatMap((metrics) => metrics.families());
  const counters = families.filter(({ name }) => name === "osm_push_resources_generated_total");
  return counters.reduce((total, { series }) => total + (series[0]?.value ?? 0), 0);
}

/** Everything that was asked for happens, then what waits for a moment, then nothing. */
async function settle(clock: ReturnType<typeof manualClock>): Promise<void> {
  for (let round = 0; round < 3; round++) {
    await quiet();
    clock.advance(SETTLE_MS);
  }
  await quiet();
}

function sum(all: readonly Traffic[]): Traffic {
  const total = noTraffic();
  for (const each of all) {
    for (const key of Object.keys(total) as (keyof Traffic)[]) total[key] += each[key];
  }
  return total;
}
