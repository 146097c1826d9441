/**
 * Changes of all kinds for a while, proxies that come and go, certificates that are rotated, and a look at what is left: the
 * slope of what the program keeps after collections, and whether streams, timers and sockets go back to what they were.
 */

import { invariant } from "../src/lib/mod.ts";
import { requestJson } from "../src/platform/json-request.ts";
import { growthBetween, type HeapCensus } from "./heap-census.ts";
import { type BenchMesh, openMesh, requireAll } from "./mesh.ts";
import { HEARING_WORKERS, INSPECT, openProbe, type ProcessProbe } from "./process-probe.ts";
import { type SoakChanges, soakChanges } from "./soak-changes.ts";

export interface SoakOptions {
  /** At least so long; longer when there were too few looks by then. */
  readonly seconds: number;
  /** Looks before this time are not counted: caches fill to their bounds, and connections find their buffers. */
  readonly warmUpSeconds: number;
  /** Changes between two looks at the heap. */
  readonly changesPerLook: number;
  /** How long each change is left alone. */
  readonly changeMs: number;
  /** How long nothing happens before a look (ms): what is kept for a while on purpose is gone then. */
  readonly restMs: number;
  readonly flags?: readonly string[];
  /** Further flags of the control plane's Node: a test plants its leak with them. */
  readonly nodeFlags?: readonly string[];
}

/** With everybody connected and at rest. */
export interface SoakLook {
  readonly seconds: number;
  readonly changes: number;
  /** What the program keeps on its main thread. */
  readonly keptBytes: number;
  /** The same on its worker threads, all together. */
  readonly workerBytes: number;
  /** Code and feedback, which V8 makes more of as long as it finds something to optimize. */
  readonly engineBytes: number;
}

interface Look extends SoakLook {
  readonly heap: HeapCensus;
  readonly workerHeap: HeapCensus;
}

export interface SoakResult {
  readonly changes: number;
  readonly reconnects: number;
  /** After the warm-up. */
  readonly looks: readonly SoakLook[];
  /** What grew most from the first of these looks to the last. */
  readonly grown: readonly string[];
  readonly workersGrown: readonly string[];
  /** Timers at the last of these looks less those at the first. All proxies have connected anew several times. */
  readonly timersGained: number;
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
/** Responses are kept for others that are to be sent the same for 20 s at most: with them a heap goes up and down by megabytes. */
export const REST_MS = 21_000;
/** Longest that what has ended may take to be gone. */
const GONE_MS = 20_000;
const POLL_MS = 25;
const ROTATE_MS = 60_000;
/** Between two looks each proxy connects anew once, so many at a time. */
const RECONNECTS_PER_LOOK = 10;
/** A timer or two more may be under way at one look than at another. */
const TIMERS_MAX = 8;
const LOOKS_MIN = 3;
const GROWN_SHOWN = 12;

export async function soak(options: SoakOptions): Promise<SoakResult> {
  const nodeFlags = [INSPECT, ...(options.nodeFlags ?? [])];
  const mesh = await openMesh(SHAPE, { nodeFlags, env: HEARING_WORKERS, flags: options.flags ?? [] });
  try {
    const probe = await openProbe(mesh.plane.words());
    try {
      return await soakMesh(mesh, probe, options);
    } finally {
      probe.close();
    }
  } finally {
    await mesh.close();
  }
}

/**
 * How fast the heap grows, per second or per change: the median of the slopes between any two looks (Theil-Sen). A table that
 * doubles once, and buffers that are there at every other look, hardly move it.
 */
export function slopeOf(
  looks: readonly SoakLook[],
  bytes: "keptBytes" | "workerBytes" | "engineBytes",
  per: "seconds" | "changes",
): number {
  const slopes = looks
    .flatMap((from, n) => looks.slice(n + 1).map((to) => (to[bytes] - from[bytes]) / (to[per] - from[per])))
    .sort((a, b) => a - b);
  const middle = (slopes.length - 1) / 2;
  return ((slopes[Math.floor(middle)] ?? 0) + (slopes[Math.ceil(middle)] ?? 0)) / 2;
}

/** What is wrong with a soak, one sentence each; none when it left nothing behind. */
export function faultsOf(
  result: SoakResult,
  most: { readonly keptBytes: number; readonly per: "seconds" | "changes" },
): readonly string[] {
  const { looks, timersGained, streamsLeft, repeated, refused, errors } = result;
  const faults: string[] = [];
  const heaps = [
    ["the heap grows", "keptBytes", result.grown],
    ["the heaps of the workers grow", "workerBytes", result.workersGrown],
  ] as const;
  for (const [what, bytes, grown] of heaps) {
    const slope = slopeOf(looks, bytes, most.per);
    if (slope <= most.keptBytes) continue;
    const found = `${Math.round(slope)} bytes for each of the ${most.per}, more than ${most.keptBytes}`;
    faults.push(`${what} by ${found} (${looks.map((look) => look[bytes])}):\n  ${grown.join("\n  ")}`);
  }
  if (timersGained > TIMERS_MAX) faults.push(`there are ${timersGained} timers more than at the first look`);
  if (streamsLeft > 0) faults.push(`${streamsLeft} streams are left after all proxies have gone`);
  const left = excess(result.resourcesBefore, result.resourcesAfter);
  if (left > 0) faults.push(`${left} handles are left: ${JSON.stringify(result.resourcesAfter)}`);
  if (repeated > 0) faults.push(`${repeated} equal resources were sent again`);
  if (refused > 0) faults.push(`${refused} responses were refused`);
  if (Object.keys(errors).length > 0) faults.push(`streams ended with errors: ${JSON.stringify(errors)}`);
  return faults;
}

async function soakMesh(mesh: BenchMesh, probe: ProcessProbe, options: SoakOptions): Promise<SoakResult> {
  const { fleet, plane, world } = mesh;
  const resourcesBefore = await probe.activeResources();
  requireAll("soak", await fleet.connect());
  const startedAt = performance.now();
  const looks: Look[] = [];
  const changes = soakChanges(world);
  let count = 0;
  const secondsNow = () => (performance.now() - startedAt) / 1000;
  while (secondsNow() < options.seconds || looks.length < LOOKS_MIN) {
    await changeAndReconnect(mesh, changes, options);
    count += options.changesPerLook;
    await rotate(plane.admin);
    await pause(options.restMs);
    const [seconds, heap, workerHeap] = [secondsNow(), await probe.census(), await probe.workerCensus()];
    const { keptBytes, engineBytes } = heap;
    const look = { seconds, changes: count, keptBytes, engineBytes, workerBytes: workerHeap.keptBytes };
    if (seconds >= options.warmUpSeconds) looks.push({ ...look, heap, workerHeap });
  }
  await fleet.disconnect();
  const isQuiet = async () => (await plane.metric("osm_proxy_connect_count")) === 0;
  await until(isQuiet, "all streams are gone");
  const isSettled = async () => excess(resourcesBefore, await probe.activeResources()) === 0;
  // What is left after that is in the result.
  await until(isSettled, "").catch(() => undefined);
  const { repeated, nacks, errors } = await fleet.counts();
  return {
    changes: count,
    reconnects: (count / options.changesPerLook) * mesh.proxies.length,
    ...findings(looks),
    resourcesBefore,
    resourcesAfter: await probe.activeResources(),
    streamsLeft: await plane.metric("osm_proxy_connect_count"),
    repeated,
    refused: nacks,
    errors,
  };
}

function findings(looks: readonly Look[]) {
  const [first, last] = [looks[0], looks.at(-1)];
  invariant(first !== undefined && last !== undefined, "a soak has looks");
  const timers = ({ heap }: Look) => heap.populations.get("object Timeout")?.count ?? 0;
  return {
    looks: looks.map(({ heap: _, workerHeap: __, ...look }) => look),
    grown: growthBetween(first.heap, last.heap, GROWN_SHOWN),
    workersGrown: growthBetween(first.workerHeap, last.workerHeap, GROWN_SHOWN),
    timersGained: timers(last) - timers(first),
  };
}

/** The changes between two looks, with reconnects in between. */
async function changeAndReconnect(
  { world, feed, fleet, proxies }: BenchMesh,
  changes: SoakChanges,
  { changesPerLook, changeMs }: SoakOptions,
): Promise<void> {
  const changesPerReconnect = Math.ceil(changesPerLook / RECONNECTS_PER_LOOK);
  for (let n = 0; n < changesPerLook; n++) {
    const prepared = feed.prepare(world, changes.next());
    await pause(changeMs);
    prepared.commit();
    if (n % changesPerReconnect !== 0) continue;
    const turn = n / changesPerReconnect;
    const ids = proxies.map((_, id) => id).filter((id) => id % RECONNECTS_PER_LOOK === turn);
    requireAll("soak, some come back", await fleet.reopen({ ids }));
  }
}

async function rotate(admin: string): Promise<void> {
  const { control } = (await (await fetch(`http://${admin}/debug/sockets`)).json()) as { readonly control: string };
  const address = { socketPath: control };
  await requestJson({ address, method: "POST", path: "/certificates/rotate", timeoutMs: ROTATE_MS });
}

/** How many there are more than before, over all kinds. */
function excess(before: Readonly<Record<string, number>>, after: Readonly<Record<string, number>>): number {
  return Object.entries(after).reduce((sum, [kind, count]) => sum + Math.max(0, count - (before[kind] ?? 0)), 0);
}

async function until(condition: () => Promise<boolean>, what: string): Promise<void> {
  const endsAt = performance.now() + GONE_MS;
  while (!(await condition())) {
    if (performance.now() > endsAt) throw new Error(`after ${GONE_MS} ms it is not so that ${what}`);
    await pause(POLL_MS);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
