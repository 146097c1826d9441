import { expect, test } from "vitest";
import type { SavedRun } from "./saved-runs.ts";
import { estimateOf, scheduleOf } from "./schedule.ts";

function run(commit: string, more: Partial<SavedRun>, ...suites: readonly [name: string, seconds: number][]): SavedRun {
  return {
    schema: 3,
    commit,
    isDirty: false,
    date: "",
    machine: { system: "", kernel: "", cpus: 2, model: "", memoryMiB: 1 },
    runtime: { name: "node", version: "26" },
    command: [],
    measurements: [],
    counts: [],
    suites: suites.map(([name, seconds]) => ({ name, seconds })),
    ...more,
  };
}

const schedule = scheduleOf(
  [
    run("old", {}, ["a", 100], ["b", 60]),
    run("new", {}, ["a", 90]),
    run("new", { isDirty: true }, ["c", 30]),
    run("new", { runtime: { name: "deno", version: "2" } }, ["d", 1]),
    run("new", { command: ["npm", "run", "bench", "--", "e", "--server-flag=--transport"] }, ["e", 1]),
  ],
  "node",
  (commit) => commit === "new",
);

test("what a clean run of the present sources has is not missing; other sources, runtimes and flags do not count", () => {
  expect(["a", "b", "c", "d", "e"].filter((name) => schedule.isKept(name))).toEqual(["a"]);
});

test("the estimate is of the latest runs, and says of how many suites it knows nothing", () => {
  expect(estimateOf(["a", "b"], schedule)).toBe("about 3 min");
  expect(estimateOf(["b", "d"], schedule)).toBe("about 60 s, and 1 that no kept run has");
  expect(estimateOf(["d"], schedule)).toBe("how long is not known");
});
