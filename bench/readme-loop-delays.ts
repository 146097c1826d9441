/** The README's line on how late the event loop of a control plane was, scenario by scenario. Pure. */
import type { SavedRun } from "./saved-runs.ts";

/** How the line begins. */
export const LOOP_DELAYS = "Event loop of the server, delay p99.9";
const AIM_MS = 50;
const MEASUREMENT = /^(fleet\/.*): .*, server loop delay, p99\.9$/;

interface Late {
  readonly suite: string;
  readonly run: SavedRun;
  readonly ms: number;
}

/**
 * Of each scenario the longest in the latest run on Node that has it. Every scenario that misses the aim is named: nobody
 * chooses which of them a reader learns of.
 */
export function loopDelayLine(runs: readonly SavedRun[]): string {
  const latest = new Map<string, Late>();
  for (const run of runs) {
    if (run.runtime.name !== "node") continue;
    for (const { name, samples } of run.measurements) {
      const [, suite] = MEASUREMENT.exec(name) ?? [];
      if (suite === undefined) continue;
      const known = latest.get(suite);
      const ms = known?.run === run ? Math.max(known.ms, samples.max) : samples.max;
      latest.set(suite, { suite, run, ms });
    }
  }
  const all = [...latest.values()];
  const over = all.filter(({ ms }) => ms > AIM_MS).sort((left, right) => right.ms - left.ms);
  const named = over.map(({ suite, ms, run }) => `\`${suite}\` ${ms.toFixed(0)} ms (${run.commit.slice(0, 7)})`);
  const rest = `${all.length - over.length} of ${all.length} scenarios`;
  return `${LOOP_DELAYS}, aim ${AIM_MS} ms: met in ${rest}${named.length === 0 ? "" : `; longer in ${named.join(", ")}`}.`;
}
