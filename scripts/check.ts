/**
 * `npm run check [-- --fix]`: format, lint, types, house rules, and the tests that need nothing but this checkout, on
 * Node and on Deno, without the fleets of `npm test`. `--fix` first formats and repairs what biome can.
 */
import { spawnSync } from "node:child_process";
import { lanesAtOnce, quickLanes, staticLanes } from "./lanes.ts";
import { describeCounts, runLanes } from "./run-lanes.ts";

if (process.argv.includes("--fix")) spawnSync("biome", ["check", "--write", "."], { stdio: "inherit" });

const start = performance.now();
const results = await runLanes([...staticLanes, ...quickLanes], lanesAtOnce);
const seconds = ((performance.now() - start) / 1000).toFixed(1);
const failed = results.filter(({ hasPassed }) => !hasPassed).map(({ lane }) => lane.name);

console.log(`\n${describeCounts(results.flatMap(({ outcomes }) => outcomes))} in ${seconds} s`);
if (failed.length > 0) {
  console.log(`Failed: ${failed.join(", ")}`);
  process.exitCode = 1;
}
