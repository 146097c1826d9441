/** What `perf-results/` holds; its README says what each field means. */
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import type { RunContext } from "./machine.ts";
import { type Findings, type Measurement, summarize } from "./measurement.ts";

/**
 * 1: without quartiles, and one file for each run. Until 2 times to each proxy ended with its acknowledgement; since 3 with its
 * receipt.
 */
export const SCHEMA = 3;

export interface SavedRun extends RunContext, Findings {
  readonly schema: 1 | 2 | typeof SCHEMA;
  /** That have run as a whole, and how long each took. Absent until schema 3. */
  readonly suites?: readonly { readonly name: string; readonly seconds: number }[];
}

/** A single value is its own summary. */
type SavedMeasurement = Omit<Measurement, "samples"> & {
  readonly samples: Measurement["samples"] | Pick<Measurement["samples"], "taken" | "kept">;
};

/** A run as it is in the file. */
export type SavedLine = Omit<SavedRun, "measurements"> & { readonly measurements: readonly SavedMeasurement[] };

const FOLDER = new URL("../perf-results/", import.meta.url);
const FILE = new URL("runs.jsonl", FOLDER);
const SINCE_RECEIPT = 3;
/** Of each measurement the latest runs keep their samples, some before them their summaries; what is older goes. */
const WHOLE_RUNS = 2;
const RUNS_MAX = 6;

/** Adds a line, and thins those before it; returns the file's path in the checkout. */
export function saveRun(run: SavedRun): string {
  const lines = existsSync(FILE) ? readFileSync(FILE, "utf8") : "";
  const beside = new URL("runs.jsonl.new", FOLDER);
  writeFileSync(beside, thinnedLines(`${lines}${lineOf(run)}\n`));
  renameSync(beside, FILE);
  return "perf-results/runs.jsonl";
}

/** Lines of runs in the order of their dates, without what is not kept of old ones. */
export function thinnedLines(lines: string): string {
  const runs = lines
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as SavedLine)
    .sort((left, right) => left.date.localeCompare(right.date));
  return thinned(runs)
    .map((run) => `${JSON.stringify(run)}\n`)
    .join("");
}

/**
 * Thins runs, the latest last: of one measurement or count on one runtime and machine. What stays says what it said. A run
 * of which nothing stays goes.
 */
function thinned(runs: readonly SavedLine[]): readonly SavedLine[] {
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

/** All runs in the order of their dates. */
export function readRuns(): readonly SavedRun[] {
  const files = readdirSync(FOLDER).filter((name) => /\.jsonl?$/.test(name));
  const texts = files.flatMap((name) => {
    const text = readFileSync(new URL(name, FOLDER), "utf8");
    return name.endsWith(".json") ? [text] : text.split("\n").filter(Boolean);
  });
  return texts.map(runOf).sort((left, right) => left.date.localeCompare(right.date));
}

export function lineOf(run: SavedRun): string {
  const measurements = run.measurements.map(({ samples, ...measurement }): SavedMeasurement => {
    const { taken, kept } = samples;
    return { ...measurement, samples: taken === 1 && kept.length === 1 ? { taken, kept } : samples };
  });
  return JSON.stringify({ ...run, measurements });
}

/** With the names that measurements have now: one name never means two things. */
export function runOf(line: string): SavedRun {
  const run = JSON.parse(line) as SavedLine;
  const measurements = run.measurements.map(({ name, unit, samples }) => ({
    name: run.schema < SINCE_RECEIPT ? nameUntilAcknowledgement(name) : name,
    unit,
    samples: "mean" in samples ? samples : summarize(samples.kept),
  }));
  return { ...run, measurements };
}

function nameUntilAcknowledgement(name: string): string {
  if (name.startsWith("fleet/")) return name.replace(/, to each proxy$/, ", to each proxy's acknowledgement");
  return name.startsWith("versus/") ? name.replace(/ to a proxy, /, " to a proxy's acknowledgement, ") : name;
}
