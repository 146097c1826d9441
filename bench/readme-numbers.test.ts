import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { summarize } from "./measurement.ts";
import { withNumbers } from "./readme-numbers.ts";
import { readRuns } from "./saved-runs.ts";

test("every number of the README's tables is that of the latest run in perf-results (npm run bench:readme -- --write)", () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const { text, problems } = withNumbers(readme, readRuns());
  expect(problems).toEqual([]);
  expect(text).toBe(readme);
});

test("a column on Deno has the numbers of runs on Deno, and a dash where there is none", () => {
  const table = (first: string, second: string) => `| what | measured | on Deno | aim |
| --- | --- | --- | --- |
| 20 changes a second that all 200 see (W1) | ${first} | 15 ms |
| event loop of the server in it, delay p99.9 | ${second} | 50 ms |`;
  const run = (runtime: string, p99: number) => ({
    schema: 3 as const,
    commit: "",
    isDirty: false,
    date: "",
    machine: { system: "", kernel: "", cpus: 2, model: "", memoryMiB: 1 },
    runtime: { name: runtime, version: "" },
    command: [],
    measurements: [
      { name: "fleet/staleness: endpoint-churn, to each proxy", unit: "ms" as const, samples: summarize([p99]) },
    ],
    counts: [],
  });
  const { text } = withNumbers(table("old | old", "old | old"), [run("node", 11), run("deno", 22)]);
  expect(text).toBe(table("11 ms | 22 ms", "? | –"));
});
