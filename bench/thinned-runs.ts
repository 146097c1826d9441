/** How much of old runs is kept, so that `perf-results/` grows with what is measured and not with how often. Pure. */
import type { SavedLine } from "./saved-runs.ts";

/** Of each measurement the latest runs keep their samples, some before them their summaries; what is older goes. */
const WHOLE_RUNS = 2;
const RUNS_MAX = 6;

/**
 * Thins runs, the latest last: of one measurement or count on one runtime and machine. What stays says what it said. A run
 * of which nothing stays goes.
 */
export function thinned(runs: readonly SavedLine[]): readonly SavedLine[] {
  const seen = new Map<string, number>();
  const laterRuns = ({ runtime, machine }: SavedLine, name: string): number => {
    const key = JSON.stringify([runtime.name, machine.model, machine.cpus, name]);
    const later = seen.get(key) ?? 0;
    seen.set(key, later + 1);
    return later;
  };
  const measurementsOf = (run: SavedLine): SavedLine["measurements"] =>
    run.measurements.flatMap((measurement) => {
      const { name, samples } = measurement;
      const later = laterRuns(run, name);
      if (later >= RUNS_MAX) return [];
      // A single value has no other summary.
      return later < WHOLE_RUNS || !("mean" in samples)
        ? measurement
        : { ...measurement, samples: { ...samples, kept: [] } };
    });
  return runs
    .toReversed()
    .map((run) => ({
      ...run,
      measurements: measurementsOf(run),
      counts: run.counts.filter(({ name }) => laterRuns(run, name) < RUNS_MAX),
    }))
    .filter(({ measurements, counts }) => measurements.length + counts.length > 0)
    .reverse();
}
