import { describe, expect, test } from "vitest";
import { compareRuns } from "./comparison.ts";
import { summarize } from "./measurement.ts";
import type { SavedRun } from "./saved-runs.ts";

/** Runs whose yardstick and only bench took so long (ms). */
function runs(...times: readonly (readonly [yardstick: number, bench: number])[]): readonly SavedRun[] {
  return times.map(([yardstick, bench]) => ({
    schema: 2,
    commit: "",
    isDirty: false,
    date: "",
    machine: { system: "", kernel: "", cpus: 2, model: "", memoryMiB: 1 },
    runtime: { name: "node", version: "26" },
    command: [],
    counts: [{ name: "deliveries", value: bench }],
    measurements: [
      { name: "micro/yardstick/x", unit: "ms", samples: summarize([yardstick]) },
      { name: "bench", unit: "ms", samples: summarize([bench]) },
    ],
  }));
}
const verdict = (before: readonly SavedRun[], after: readonly SavedRun[]) =>
  compareRuns(before, after).times[0]?.verdict;
const steady = runs([1, 10], [1, 10.1], [1, 10.2], [1, 9.9], [1, 9.8]);

describe("comparing runs", () => {
  test("a sure loss of more than a tenth fails", () => {
    expect(verdict(steady, runs([1, 12], [1, 12.1], [1, 12.2], [1, 11.9], [1, 11.8]))).toBe("slower");
  });

  test("a loss of which the noise is as large, or of few runs, is only marked", () => {
    expect(verdict(steady, runs([1, 12], [1, 9], [1, 14], [1, 13], [1, 8]))).toBe("perhaps slower");
    expect(verdict(steady.slice(0, 2), runs([1, 12], [1, 12]))).toBe("perhaps slower");
  });

  test("a machine that is half as fast in one of the runs makes nothing slower", () => {
    expect(verdict(steady, runs([2, 20], [2, 20], [1, 10], [2, 20], [1, 10]))).toBe("same");
  });

  test("another count is told, whatever the times", () => {
    expect(compareRuns(runs([1, 10]), runs([1, 11])).counts).toEqual([{ name: "deliveries", before: 10, after: 11 }]);
  });
});
