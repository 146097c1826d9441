import { encodeTrustBundle, SECRETS } from "../../src/envoy/mod.ts";
import { metricsRegistry, silentLog, systemClock } from "../../src/lib/mod.ts";
import { inlinePool } from "../../src/platform/mod.ts";
import {
  createPushEngine,
  createResourceSource,
  type PushEngine,
  type SecretSource,
  type TableSecrets,
} from "../../src/push/mod.ts";
import { type Resource, TYPE_URLS } from "../../src/xds/resource.ts";
import { generateJob } from "../../workers/generate.ts";
import type { Shape, WorldPod } from "../world.ts";
import type { Timing, TimingGroup } from "./timing.ts";
import { type StoredWorld, storedWorld } from "./view.ts";

/** From a changed object to new tables for every proxy that it concerns; nothing is sent. */
export const pushTimings: TimingGroup = {
  name: "push",
  async make(): Promise<readonly Timing[]> {
    return [
      await passTiming("policies, 5000 proxies, 1000 services: one endpoint", {
        services: 1000,
        podsPerService: 5,
        namespaces: 25,
        callers: 10,
        seed: 1,
      }),
      await passTiming("permissive, 200 proxies, 100 services: one endpoint", {
        services: 100,
        podsPerService: 2,
        namespaces: 10,
        callers: 0,
        seed: 1,
      }),
    ];
  },
};

async function passTiming(name: string, shape: Shape): Promise<Timing> {
  const stored = storedWorld(shape);
  const passed = passCounter();
  const engine = createEngine(passed.count);
  for (const pod of stored.world.pods) subscribe(engine, pod);
  engine.publish(stored.store.snapshot(), { isEmpty: false, generation: 1, changed: new Map() });
  await passed.next();
  let rounds = 0;
  return {
    name,
    calls: 30,
    async run() {
      rounds += 1;
      const next = passed.next();
      change(stored, engine, `10.200.0.${rounds}`);
      await next;
    },
  };
}

function change({ world, translation, store }: StoredWorld, engine: PushEngine, further: string): void {
  const changes = translation.apply([{ type: "apply", source: "bench", object: world.slice(0, [further]) }]);
  const applied = store.apply(changes);
  engine.publish(store.snapshot(), applied);
}

function subscribe(engine: PushEngine, pod: WorldPod): void {
  const { uuid, namespace, serviceAccount } = pod;
  engine.subscribe({ uuid, namespace, serviceAccount, pod: pod.name }, () => undefined);
}

function passCounter() {
  let waiting: (() => void)[] = [];
  return {
    count() {
      for (const resolve of waiting) resolve();
      waiting = [];
    },
    next: () => new Promise<void>((resolve) => waiting.push(resolve)),
  };
}

function createEngine(onPush: () => void): PushEngine {
  const edge = { clock: systemClock(), log: silentLog(), metrics: metricsRegistry() };
  const pool = inlinePool({ ...edge, name: "generate", load: async () => generateJob });
  const resources = createResourceSource({ pool, lanes: 1, cacheBytesMax: 64 * 2 ** 20, ...edge });
  return createPushEngine({ resources, secrets: SECRETS_FOR_ALL, onPush, ...edge });
}

const bundle = encodeTrustBundle({ name: SECRETS.trustBundle, rootsPem: "none" });
const resources: readonly Resource[] = [SECRETS.serviceCertificate, SECRETS.trustBundle].map((name) => ({
  typeUrl: TYPE_URLS.secret,
  name,
  version: "1",
  bytes: bundle,
}));
const tableSecrets: TableSecrets = { resources };
const SECRETS_FOR_ALL: SecretSource = { current: () => tableSecrets, want: () => undefined, retain: () => undefined };
