import type { Clock } from "../lib/mod.ts";
import type { FolderFeed } from "./feed.ts";
import type { Fleet } from "./fleet-api.ts";
import { machineTimes, type Observation } from "./report-phase.ts";
import type { ServerFigures } from "./run-figures.ts";
import type { RunProxies } from "./run-proxies.ts";
import type { World } from "./world.ts";

/** Nothing more arrives when nothing has arrived for so long. */
const QUIET_MS = 300;
const QUIET_LOOK_MS = 100;

/** What a phase acts on. */
export interface PhaseContext {
  readonly world: World;
  readonly fleet: Fleet;
  readonly proxies: RunProxies;
  /** Undefined: nothing can be changed but connections. */
  readonly feed: FolderFeed | undefined;
  readonly clock: Clock;
  readonly patienceMs: number;
  readonly startedMs: number;
  readonly nextChangeId: () => number;
  readonly figures: () => Promise<ServerFigures>;
  /** Of the control plane. */
  readonly replicas: number;
  /** Kills a replica, if it runs, and starts it again; ms until it was ready. */
  readonly restart: (replica: number) => Promise<number>;
  /** Asks a replica to end; ms until it had. */
  readonly drain: (replica: number) => Promise<number>;
  readonly rotate: () => Promise<void>;
  /** Does something while the control plane does not go on. */
  readonly heldUp: <T>(work: () => T) => T;
  readonly progress: (text: string) => void;
  readonly signal: AbortSignal;
}

/** Waits; ends early when the run is given up. */
export async function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0 || signal.aborted) return;
  await new Promise<void>((resolve) => {
    const done = () => {
      cancel();
      signal.removeEventListener("abort", done);
      resolve();
    };
    const cancel = clock.after(ms, done);
    signal.addEventListener("abort", done);
  });
}

/** All counters now. */
export async function observe({ fleet, figures, clock, replicas }: PhaseContext): Promise<Observation> {
  const places = replicas < 2 ? [] : fleet.places();
  const [counts, server, usage, ids] = await Promise.all([fleet.counts(), figures(), fleet.usage(), places]);
  const streams = ids.map(({ length }) => length);
  return { counts, figures: server, usage, machine: machineTimes(), streams, atMs: clock.monotonic() };
}

/** Waits until proxies receive nothing more. */
export async function quiet({ fleet, clock, patienceMs, signal }: PhaseContext): Promise<void> {
  const giveUpMs = clock.monotonic() + patienceMs;
  let responses = -1;
  let sinceMs = clock.monotonic();
  while (clock.monotonic() < giveUpMs && !signal.aborted) {
    const { responses: now } = await fleet.counts();
    if (now !== responses) sinceMs = clock.monotonic();
    else if (clock.monotonic() - sinceMs >= QUIET_MS) return;
    responses = now;
    await pause(clock, QUIET_LOOK_MS, signal);
  }
}
