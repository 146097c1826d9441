import { expect, test } from "vitest";
import { summarize } from "./measurement.ts";
import { lineOf, runOf, type SavedRun } from "./saved-runs.ts";

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
