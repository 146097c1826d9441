/** Two sets of runs, and what can be said of the difference. Pure. */
import { quantile } from "./measurement.ts";
import type { SavedRun } from "./saved-runs.ts";

export interface ComparedTime {
  readonly name: string;
  /** Median of the later runs to the median of the earlier ones. */
  readonly ratio: number;
  /** The least and the largest ratio of the two sides' quartiles. */
  readonly low: number;
  readonly high: number;
  /** `slower` fails; `perhaps slower` is worth a look. */
  readonly verdict: "same" | "faster" | "perhaps slower" | "slower";
}

export interface Comparison {
  readonly times: readonly ComparedTime[];
  /** Exact counts that are not the same. */
  readonly counts: readonly { readonly name: string; readonly before: number; readonly after: number }[];
}

const FAIL = 1.1;
const WARN = 1.05;
const RUNS_MIN = 5;
const YARDSTICK = "micro/yardstick/";

/** Compares the medians that all runs of both sides have. Times are in yardsticks of their own run. */
export function compareRuns(before: readonly SavedRun[], after: readonly SavedRun[]): Comparison {
  const [earlier, later] = [before.map(mediansOf), after.map(mediansOf)];
  const names = [...(earlier[0]?.keys() ?? [])].filter(
    (name) => !name.startsWith(YARDSTICK) && [...earlier, ...later].every((medians) => medians.has(name)),
  );
  return {
    times: names.map((name) => compare(name, valuesOf(earlier, name), valuesOf(later, name))),
    counts: changed(before, after),
  };
}

function compare(name: string, before: readonly number[], after: readonly number[]): ComparedTime {
  const [b1, b2, b3] = quartiles(before);
  const [a1, a2, a3] = quartiles(after);
  const ratio = a2 / b2;
  const isSure = Math.min(before.length, after.length) >= RUNS_MIN && a1 > b3;
  const verdict = ratio > FAIL && isSure ? "slower" : ratio > WARN ? "perhaps slower" : a3 < b1 ? "faster" : "same";
  return { name, ratio, low: a1 / b3, high: a3 / b1, verdict };
}

function quartiles(values: readonly number[]): readonly [number, number, number] {
  const sorted = [...values].sort((left, right) => left - right);
  return [quantile(sorted, 0.25), quantile(sorted, 0.5), quantile(sorted, 0.75)];
}

function valuesOf(runs: readonly ReadonlyMap<string, number>[], name: string): readonly number[] {
  return runs.map((medians) => medians.get(name) ?? Number.NaN);
}

function mediansOf({ measurements }: SavedRun): ReadonlyMap<string, number> {
  const yardstick = measurements.find(({ name }) => name.startsWith(YARDSTICK))?.samples.p50 ?? 1;
  const isTime = (unit: string) => unit === "ms" || unit === "µs";
  return new Map(
    measurements.map(({ name, unit, samples }) => [
      name,
      isTime(unit) && !name.startsWith(YARDSTICK) ? samples.p50 / yardstick : samples.p50,
    ]),
  );
}

function changed(before: readonly SavedRun[], after: readonly SavedRun[]) {
  const earlier = new Map(before[0]?.counts.map(({ name, value }) => [name, value]));
  return (after[0]?.counts ?? []).flatMap(({ name, value }) => {
    const was = earlier.get(name);
    return was === undefined || was === value ? [] : [{ name, before: was, after: value }];
  });
}
