import { encodeTrustBundle, SECRETS } from "../../src/envoy/mod.ts";
import type { KubeObject } from "../../src/kube/objects.ts";
import { type Clock, metricsRegistry, silentLog, systemClock } from "../../src/lib/mod.ts";
import { generateHere } from "../../src/main/generate-pool.ts";
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
    const found: Timing[] = [];
    for (const { name, shape } of SHAPES) found.push(...(await timingsOf(name, shape)));
    return found;
  },
};

const SHAPES: readonly { readonly name: string; readonly shape: Shape }[] = [
  { name: "XL, policies", shape: { services: 1000, podsPerService: 5, namespaces: 10, callers: 10, seed: 1 } },
  { name: "XLP, permissive", shape: { services: 1000, podsPerService: 5, namespaces: 10, callers: 0, seed: 1 } },
  { name: "X5, permissive", shape: { services: 100, podsPerService: 50, namespaces: 10, callers: 0, seed: 1 } },
];

/** An object that may come again and again, in two forms that take turns. */
type Turns = (round: number) => KubeObject;

async function timingsOf(name: string, shape: Shape): Promise<readonly Timing[]> {
  const stored = storedWorld(shape);
  const passed = passCounter();
  const clock = leapingClock();
  const engine = createEngine(passed.count, clock);
  for (const pod of stored.world.pods) subscribe(engine, pod);
  engine.publish(stored.store.snapshot(), { isEmpty: false, generation: 1, changed: new Map() });
  await passed.next();
  const { world } = stored;
  const timing = (what: string, object: Turns): Timing => {
    let round = 0;
    return {
      name: `${name}: ${what}`,
      calls: 60,
      async run() {
        const next = passed.next();
        round += 1;
        clock.leap();
        if (change(stored, engine, object(round))) await next;
      },
    };
  };
  return [
    timing("an endpoint goes and comes", (round) =>
      round % 2 === 0 ? world.slice(round >> 1) : world.sliceWithout((round >> 1) + 1, 0),
    ),
    timing("a pod of another mesh", (round) => strangerOf(world.pods[0], round)),
    timing("an object that was touched", (round) => ({
      ...world.slice(5),
      metadata: { ...world.slice(5).metadata, annotations: { round: String(round) } },
    })),
    ...(shape.callers === 0
      ? []
      : [timing("one TrafficTarget", (round) => world.target(0, round % 2 === 0 ? ["read"] : ["read", "write"]))]),
  ];
}

function strangerOf(pod: WorldPod | undefined, round: number): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "stranger", namespace: "elsewhere", labels: { round: String(round) } },
    spec: { serviceAccountName: pod?.serviceAccount ?? "", containers: [] },
    status: { phase: "Running", podIP: "192.0.2.1" },
  };
}

/** Whether anything differs. */
function change({ translation, store }: StoredWorld, engine: PushEngine, object: KubeObject): boolean {
  const applied = store.apply(translation.apply([{ type: "apply", source: "bench", object }]));
  if (!applied.isEmpty) engine.publish(store.snapshot(), applied);
  return !applied.isEmpty;
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

/** The real clock, but that a second can pass at once: the pause after a large push is not what is timed. */
function leapingClock(): Clock & { readonly leap: () => void } {
  const clock = systemClock();
  let leaptMs = 0;
  const leap = () => {
    leaptMs += 1000;
  };
  return { ...clock, monotonic: () => clock.monotonic() + leaptMs, leap };
}

function createEngine(onPush: () => void, clock: Clock): PushEngine {
  const edge = { clock, log: silentLog(), metrics: metricsRegistry() };
  const pool = inlinePool({ ...edge, name: "generate", load: async () => generateJob });
  const resources = createResourceSource({ pool, generateHere, lanes: 1, cacheBytesMax: 64 * 2 ** 20, ...edge });
  return createPushEngine({
    resources,
    secrets: SECRETS_FOR_ALL,
    onPush() {
      onPush();
      return undefined;
    },
    ...edge,
  });
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
