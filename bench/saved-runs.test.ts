import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { summarize } from "./measurement.ts";
import { lineOf, runOf, type SavedRun, thinnedLines } from "./saved-runs.ts";

const context = {
  commit: "0",
  isDirty: false,
  date: "2026-11-22T00:00:00.000Z",
  machine: { system: "Linux", kernel: "6.1", cpus: 2, model: "any", memoryMiB: 1 },
  runtime: { name: "node", version: "26" },
  command: [],
};

function runWith(schema: SavedRun["schema"], ...names: readonly string[]): SavedRun {
  const measurements = names.map((name) => ({ name, unit: "ms" as const, samples: summarize([2, 1, 3]) }));
  return { schema, ...context, measurements, counts: [] };
}

test("a run is read as it was kept, a single value with its summary", () => {
  const run = runWith(3, "fleet/K: churn, to each proxy");
  const single = { name: "one", unit: "MiB" as const, samples: summarize([0.125]) };
  const kept: SavedRun = { ...run, measurements: [...run.measurements, single], suites: [{ name: "a", seconds: 1 }] };
  expect(runOf(lineOf(kept))).toEqual(kept);
  expect(lineOf(kept)).toContain('{"taken":1,"kept":[0.125]}');
});

test("times until the acknowledgement are not in one line with times until the receipt", () => {
  const names = [
    "fleet/K: churn, to each proxy",
    "versus/p/W2: change to a proxy, p50, ours",
    "micro/step/to each proxy",
  ];
  const namesOf = (schema: SavedRun["schema"]) =>
    runOf(lineOf(runWith(schema, ...names))).measurements.map(({ name }) => name);
  expect(namesOf(3)).toEqual(names);
  expect(namesOf(2)).toEqual([
    "fleet/K: churn, to each proxy's acknowledgement",
    "versus/p/W2: change to a proxy's acknowledgement, p50, ours",
    "micro/step/to each proxy",
  ]);
});

test("of a large sample sixty values are kept, both ends among them", () => {
  const { kept, taken } = summarize(Array.from({ length: 1000 }, (_, n) => n));
  expect([taken, kept.length, kept[0], kept.at(-1)]).toEqual([1000, 60, 0, 999]);
});

test("old runs are thinned: their samples go first, then they do; another machine's or runtime's are counted apart", () => {
  const lines = Array.from({ length: 10 }, (_, n) => lineOf({ ...runWith(3, "one", "two"), commit: String(n) }));
  const other = lineOf({ ...runWith(3, "one"), commit: "other", runtime: { name: "deno", version: "2" } });
  const runs = thinnedLines([other, lineOf({ ...runWith(3, "rare"), commit: "rare" }), ...lines, ""].join("\n"))
    .split("\n")
    .filter(Boolean)
    .map(runOf);
  expect(runs.map(({ commit }) => commit)).toEqual(["other", "rare", "4", "5", "6", "7", "8", "9"]);
  const [kept, summary] = [runWith(3, "one").measurements[0]?.samples, runs[2]?.measurements[0]?.samples];
  expect(summary).toEqual({ ...kept, kept: [] });
  expect(
    runs.filter(({ measurements }) => measurements[0]?.samples.kept.length === 3).map(({ commit }) => commit),
  ).toEqual(["other", "rare", "8", "9"]);
});

test("runs that come from another checkout are put in the order of their dates", () => {
  const [early, late] = ["2026-01-01", "2026-02-01"].map((date) => lineOf({ ...runWith(3, "one"), date }));
  expect(thinnedLines(`${late}\n${early}\n`)).toBe(`${early}\n${late}\n`);
});

test("the runs of this checkout are thinned, and what stays is as it was written", () => {
  const lines = readFileSync(new URL("../perf-results/runs.jsonl", import.meta.url), "utf8");
  expect(thinnedLines(lines)).toBe(lines);
});
