import type { AppReport, CallCount, DemoApp } from "../main/mod.ts";

/** A report as it was heard. */
export interface Heard {
  readonly calls: readonly CallCount[];
  readonly atMs: number;
}

/** Calls a second that ended in one way. */
export interface Rate {
  readonly answeredBy: string;
  readonly outcome: string;
  readonly perSecond: number;
}

/** What one program calls, and how that goes just now. */
export interface Flow {
  readonly from: DemoApp;
  readonly to: string;
  readonly rates: readonly Rate[];
}

/** Everything that was heard of the programs' calls, newest last. */
export interface Traffic {
  add(report: AppReport, atMs: number): void;
  /** Counts since the program started. */
  calls(app: DemoApp): readonly CallCount[];
  /** Reports heard so far. */
  heard(app: DemoApp): number;
  flow(from: DemoApp, to: string, nowMs: number): Flow;
}

/** Rates are those of about this long. */
const WINDOW_MS = 3000;
/** A program that is silent for longer makes no calls: it reports each second in which it made some. */
const SILENT_MS = 2500;
const KEPT = 16;

/** Remembers the last few reports of each program. */
export function createTraffic(): Traffic {
  const reports = new Map<string, { count: number; kept: Heard[] }>();
  return {
    add({ app, calls }, atMs) {
      const known = reports.get(app) ?? { count: 0, kept: [] };
      reports.set(app, { count: known.count + 1, kept: [...known.kept.slice(1 - KEPT), { calls, atMs }] });
    },
    calls: (app) => reports.get(app)?.kept.at(-1)?.calls ?? [],
    heard: (app) => reports.get(app)?.count ?? 0,
    flow: (from, to, nowMs) => ({ from, to, rates: ratesOf(reports.get(from)?.kept ?? [], to, nowMs) }),
  };
}

/**
 * What happened between two reports of one program, kinds of calls that did not happen left out. A program that was
 * started again counts from nothing.
 */
export function callsBetween(before: readonly CallCount[], after: readonly CallCount[]): readonly CallCount[] {
  const counted = new Map(before.map((call) => [keyOf(call), call.count]));
  const isSameRun = before.every((call) => (countOf(after, call) ?? 0) >= call.count);
  return after.flatMap((call) => {
    const count = call.count - (isSameRun ? (counted.get(keyOf(call)) ?? 0) : 0);
    return count > 0 ? [{ ...call, count }] : [];
  });
}

/** Answered as wished: by 200, or `stored` for the database. */
export function isServed({ outcome }: Pick<CallCount, "outcome">): boolean {
  return outcome === "200" || outcome === "stored";
}

function ratesOf(kept: readonly Heard[], to: string, nowMs: number): readonly Rate[] {
  const last = kept.at(-1);
  const first = kept.find(({ atMs }) => atMs >= nowMs - WINDOW_MS - 1000);
  if (last === undefined || first === undefined || first === last || nowMs - last.atMs > SILENT_MS) return [];
  const seconds = (last.atMs - first.atMs) / 1000;
  return callsBetween(first.calls, last.calls)
    .filter((call) => call.to === to)
    .map(({ answeredBy, outcome, count }) => ({ answeredBy, outcome, perSecond: count / Math.max(seconds, 0.5) }));
}

const keyOf = ({ to, answeredBy, outcome }: CallCount) => `${to} ${answeredBy} ${outcome}`;
const countOf = (calls: readonly CallCount[], wanted: CallCount) =>
  calls.find((call) => keyOf(call) === keyOf(wanted))?.count;
