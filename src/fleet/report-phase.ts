import { cpus } from "node:os";
import type { FleetCounts, Opened, ProcessUsage, Seen } from "./fleet-api.ts";
import { delaysOf, type OpenedReport, type PhaseReport } from "./report-result.ts";
import type { ServerFigures } from "./run-figures.ts";

/** Share of a core, or of all, above which there is no time left. */
const BOUND_SHARE = 0.9;

export interface MachineTimes {
  readonly busyMs: number;
  readonly totalMs: number;
}

/** What the system says of its cores. */
export function machineTimes(): MachineTimes {
  let [busyMs, totalMs] = [0, 0];
  for (const { times } of cpus()) {
    const used = times.user + times.nice + times.sys + times.irq;
    busyMs += used;
    totalMs += used + times.idle;
  }
  return { busyMs, totalMs };
}

/** All counters at one time. */
export interface Observation {
  readonly counts: FleetCounts;
  readonly figures: ServerFigures;
  readonly usage: readonly ProcessUsage[];
  /** Of all cores, since the machine started; 0 where the system does not say. */
  readonly machine: MachineTimes;
  /** Open streams of each replica; empty where there is one alone. */
  readonly streams: readonly number[];
  readonly atMs: number;
}

interface SeenChange {
  readonly madeNs: bigint;
  readonly seen: readonly Seen[];
}

/** What the steps of a phase have led to. */
export interface Taken {
  readonly opened: Opened[];
  /** By change: when it was made, and who saw it. */
  readonly seen: readonly SeenChange[];
  /** The same of changes that ended a trouble. */
  readonly recovered: readonly SeenChange[];
  readonly changes: number;
  readonly lateMs: number;
  readonly needed: number | undefined;
  readonly downMs: number | undefined;
  readonly drainMs: number | undefined;
}

/** Of a phase of no steps. */
export const nothingTaken = (): Taken => ({
  opened: [],
  seen: [],
  recovered: [],
  changes: 0,
  lateMs: 0,
  needed: undefined,
  downMs: undefined,
  drainMs: undefined,
});

/** Makes the report of a phase out of what was observed before and after it; `startedMs`: when the run began. */
export function reportPhase(
  name: string,
  startedMs: number,
  run: { readonly before: Observation; readonly after: Observation; readonly taken: Taken },
): PhaseReport {
  const { before, after, taken } = run;
  const { toEach, toLast, perChange, missing } = delaysBy(taken.seen);
  const recovered = delaysBy(taken.recovered);
  const spanSeconds = (after.atMs - before.atMs) / 1000;
  const clientCpu = after.usage.map((each) => each.cpuSeconds - (cpuOf(before.usage, each.pid) ?? 0));
  return {
    name,
    startMs: Math.round(before.atMs - startedMs),
    endMs: Math.round(after.atMs - startedMs),
    changes: taken.changes,
    lateMs: Math.round(taken.lateMs * 10) / 10,
    deliveries: after.counts.responses - before.counts.responses,
    needed: taken.needed,
    resources: after.counts.resources - before.counts.resources,
    generated: grown(before.figures.generated, after.figures.generated),
    bytes: after.counts.bytes - before.counts.bytes,
    toEach: delaysOf(toEach),
    toLast: delaysOf(toLast),
    staleProxySeconds: Math.round([...toEach, ...recovered.toEach].reduce((sum, each) => sum + each, 0)) / 1000,
    missing: missing + recovered.missing,
    recovery: delaysOf(recovered.toLast),
    opened: openedReport(taken.opened),
    downMs: taken.downMs,
    drainMs: taken.drainMs,
    streams: after.streams,
    serverCpuSeconds: grown(before.figures.cpuSeconds, after.figures.cpuSeconds),
    serverRssBytes: after.figures.rssBytes,
    serverLoopDelayP999Ms: after.figures.loopDelayP999Ms,
    serverLoopDelayMaxMs: after.figures.loopDelayMaxMs,
    clientCpuSeconds: clientCpu.reduce((sum, each) => sum + each, 0),
    clientRssBytes: after.usage.reduce((sum, each) => sum + each.rssBytes, 0),
    isBoundByClient: clientCpu.some((each) => each > spanSeconds * BOUND_SHARE),
    warmingTimeouts: after.counts.warmingTimeouts - before.counts.warmingTimeouts,
    isMachineBusy: isBusy(before.machine, after.machine),
    perChange,
  };
}

/** Milliseconds from each change to those who saw it, and to the last of them. */
function delaysBy(changes: readonly SeenChange[]) {
  const toEach: number[] = [];
  const toLast: number[] = [];
  const perChange: number[] = [];
  let missing = 0;
  for (const { madeNs, seen } of changes) {
    let last = 0;
    let delivered = 0;
    for (const { arrivedNs, acknowledgedNs, missing: absent } of seen) {
      missing += absent.length;
      for (const [proxy, at] of acknowledgedNs.entries()) {
        if (at === 0n) continue;
        toEach.push(Number((arrivedNs[proxy] || at) - madeNs) / 1e6);
        last = Math.max(last, Number(at - madeNs) / 1e6);
        delivered += 1;
      }
    }
    if (delivered > 0) toLast.push(last);
    perChange.push(delivered);
  }
  return { toEach, toLast, perChange, missing };
}

function isBusy(before: MachineTimes, after: MachineTimes): boolean {
  const totalMs = after.totalMs - before.totalMs;
  return totalMs > 0 && after.busyMs - before.busyMs > totalMs * BOUND_SHARE;
}

function cpuOf(usage: readonly ProcessUsage[], pid: number): number | undefined {
  return usage.find((each) => each.pid === pid)?.cpuSeconds;
}

function grown(before: number | undefined, after: number | undefined): number | undefined {
  return after === undefined ? undefined : after - (before ?? 0);
}

function openedReport(opened: readonly Opened[]): OpenedReport | undefined {
  if (opened.length === 0) return undefined;
  const sum = (count: (each: Opened) => number) => opened.reduce((total, each) => total + count(each), 0);
  return {
    proxies: sum((each) => each.perProxyMs.length),
    toEach: delaysOf(opened.flatMap((each) => [...each.perProxyMs].filter(Number.isFinite))),
    handshakes: sum((each) => each.handshakes),
    resumed: sum((each) => each.resumed),
    missing: sum((each) => each.missing.length),
  };
}
