/**
 * Changes of all kinds for a while, proxies that come and go, and a look at what is left: the heap's slope after
 * collections, and whether streams, timers and sockets go back to what they were.
 */
import type { FileKey } from "../src/fleet/world.ts";
import { furtherAddress } from "../src/fleet/world-objects.ts";
import { type BenchMesh, openMesh, requireAll } from "./mesh.ts";
import { INSPECT, openProbe, type ProcessProbe } from "./process-probe.ts";

export interface SoakOptions {
  readonly seconds: number;
  /** Changes between two looks at the heap. */
  readonly changesPerLook: number;
  /** How long nothing happens before a look (ms): what is kept for a while on purpose is gone then. */
  readonly restMs: number;
  readonly flags?: readonly string[];
}

export interface SoakResult {
  readonly changes: number;
  /** Bytes after a collection, one for each look, with everybody connected. */
  readonly heap: readonly number[];
  /** Least squares over the later three quarters of the looks, per second. */
  readonly heapBytesPerSecond: number;
  /** By kind: what was there before any proxy came, and after all had gone. */
  readonly resourcesBefore: Readonly<Record<string, number>>;
  readonly resourcesAfter: Readonly<Record<string, number>>;
  /** Streams that the server still counts after all have gone. */
  readonly streamsLeft: number;
  /** Equal resources that were sent again, and refused responses. */
  readonly repeated: number;
  readonly refused: number;
  readonly errors: Readonly<Record<string, number>>;
}

const SHAPE = {
  services: 10,
  pods: 4,
  namespaces: 3,
  mode: "smi",
  calls: { kind: "degree", degree: 3 },
  splits: 1,
  seed: 1,
} as const;
const CHANGE_MS = 25;
/** Responses are kept for others that are to be sent the same for 20 s at most: with them a heap goes up and down by megabytes. */
export const REST_MS = 21_000;
/** Longest that what has ended may take to be gone. */
const GONE_MS = 20_000;

export async function soak(options: SoakOptions): Promise<SoakResult> {
  const mesh = await openMesh(SHAPE, { nodeFlags: [INSPECT], flags: options.flags ?? [] });
  const probe = await openProbe(mesh.plane.words());
  try {
    return await soakMesh(mesh, probe, options);
  } finally {
    probe.close();
    await mesh.close();
  }
}

async function soakMesh(mesh: BenchMesh, probe: ProcessProbe, options: SoakOptions): Promise<SoakResult> {
  const { fleet, plane } = mesh;
  const resourcesBefore = await probe.activeResources();
  requireAll("soak", await fleet.connect());
  const endsAt = performance.now() + options.seconds * 1000;
  const looks: { readonly at: number; readonly heap: number }[] = [];
  let changes = 0;
  while (performance.now() < endsAt) {
    for (let n = 0; n < options.changesPerLook; n++) await change(mesh, changes++);
    requireAll("soak, some come back", await fleet.reopen({ ids: someOf(mesh.proxies.length, changes) }));
    await pause(options.restMs);
    looks.push({ at: performance.now(), heap: await probe.heapAfterCollection() });
  }
  await fleet.disconnect();
  const isQuiet = async () => (await plane.metric("osm_proxy_connect_count")) === 0;
  await until(isQuiet, "all streams are gone");
  const isSettled = async () => excess(resourcesBefore, await probe.activeResources()) === 0;
  // What is left after that is in the result.
  await until(isSettled, "").catch(() => undefined);
  const { repeated, nacks, errors } = await fleet.counts();
  return {
    changes,
    heap: looks.map(({ heap }) => heap),
    heapBytesPerSecond: slope(looks.slice(Math.floor(looks.length / 4))),
    resourcesBefore,
    resourcesAfter: await probe.activeResources(),
    streamsLeft: await plane.metric("osm_proxy_connect_count"),
    repeated,
    refused: nacks,
    errors,
  };
}

/**
 * Change number `n`, one of several kinds in turn. They go back and forth between few states: what was made once is in the
 * caches, so that a heap that still grows has a leak.
 */
async function change({ world, feed }: BenchMesh, n: number): Promise<void> {
  const service = (n >> 2) % world.services;
  const isOdd = Math.floor((n >> 2) / world.services) % 2 === 1;
  const keys: FileKey[] = [];
  switch (n % 4) {
    case 0:
    case 1: {
      const pod = world.podsOf(service)[n % 4];
      if (pod !== undefined) keys.push(...world.movePod(pod, furtherAddress(2 * pod.id + (isOdd ? 1 : 0))));
      break;
    }
    case 2: {
      const callers = world.callers[service];
      const [first] = callers ?? [];
      if (callers === undefined || first === undefined) break;
      const others = callers.filter((caller) => caller >= world.services / 2);
      callers.splice(0, callers.length, ...(isOdd && others.length > 0 ? others : [0, ...others]));
      keys.push(`policy ${service}`);
      break;
    }
    default: {
      const [apex, backends] = [...world.splits][0] ?? [];
      if (apex === undefined || backends === undefined) break;
      const weight = service % 2 === 0 ? 60 : 70;
      world.splits.set(
        apex,
        backends.map(({ service: backend }) => ({
          service: backend,
          weight: backend === apex ? weight : 100 - weight,
        })),
      );
      keys.push(`split ${apex}`);
    }
  }
  const prepared = feed.prepare(world, keys);
  await pause(CHANGE_MS);
  prepared.commit();
}

/** A tenth of them, others each time. */
function someOf(count: number, turn: number): readonly number[] {
  return Array.from({ length: count }, (_, id) => id).filter((id) => (id + turn) % 10 === 0);
}

/** How many there are more than before, over all kinds. */
export function excess(before: Readonly<Record<string, number>>, after: Readonly<Record<string, number>>): number {
  return Object.entries(after).reduce((sum, [kind, count]) => sum + Math.max(0, count - (before[kind] ?? 0)), 0);
}

/** Least squares: bytes per second. */
function slope(looks: readonly { readonly at: number; readonly heap: number }[]): number {
  const at = looks.reduce((sum, look) => sum + look.at, 0) / looks.length;
  const heap = looks.reduce((sum, look) => sum + look.heap, 0) / looks.length;
  const above = looks.reduce((sum, look) => sum + (look.at - at) * (look.heap - heap), 0);
  const below = looks.reduce((sum, look) => sum + (look.at - at) ** 2, 0);
  return below === 0 ? 0 : (above / below) * 1000;
}

async function until(condition: () => Promise<boolean>, what: string): Promise<void> {
  const endsAt = performance.now() + GONE_MS;
  while (!(await condition())) {
    if (performance.now() > endsAt) throw new Error(`after ${GONE_MS} ms it is not so that ${what}`);
    await pause(CHANGE_MS);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
