import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { withNumbers } from "./readme-numbers.ts";
import { readRuns } from "./saved-runs.ts";

test("every number of the README's tables is that of the latest run in perf-results (npm run bench:readme -- --write)", () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const { text, problems } = withNumbers(readme, readRuns());
  expect(problems).toEqual([]);
  expect(text).toBe(readme);
});
