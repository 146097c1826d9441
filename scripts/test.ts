/**
 * `npm test [-- FILTER...]`: all that `npm run check` does, and the tests that take longer or start real programs: fleets, our
 * own commands on each runtime, Envoys, pods.
 *
 * FILTER goes to vitest as it is: part of a file's name (`npm test -- xds`), or a test's (`npm test -- -t "reconnect"`).
 * The last line is `N passed, N failed, N skipped`, over everything that ran. With `CI` set, a skipped test fails the run
 * unless it says that what it needs cannot be had here (a note that starts with "unobtainable").
 */
import { lanesAtOnce, olderNodeLanes, portableLanes, processLanes, staticLanes } from "./lanes.ts";
import { describeCounts, runLanes } from "./run-lanes.ts";

const filter = process.argv.slice(2);
const tests = [...portableLanes(filter), ...olderNodeLanes(filter), ...processLanes(filter)];
const results = await runLanes(filter.length > 0 ? tests : [...staticLanes, ...tests], lanesAtOnce);
const outcomes = results.flatMap((result) => result.outcomes);
const skipped = outcomes.filter(({ state, name }) => state === "skipped" && filter.length === 0 && name !== "");
const forgotten = process.env["CI"] ? skipped.filter(({ note }) => !note?.startsWith("unobtainable")) : [];

for (const [reason, tests] of Map.groupBy(skipped, ({ note }) => note ?? "no reason given")) {
  console.log(`${tests.length} skipped: ${reason}`);
  for (const { name } of tests) console.log(`  ${name}`);
}
if (forgotten.length > 0) console.log(`${forgotten.length} skipped although CI can have what they need`);
for (const { name, state } of outcomes) if (state === "failed") console.log(`failed: ${name}`);
if (outcomes.length === 0) console.log(`No test matches ${filter.join(" ")}`);

const isGood = outcomes.length > 0 && forgotten.length === 0 && results.every(({ hasPassed }) => hasPassed);
process.exitCode = isGood ? 0 : 1;
console.log(describeCounts(outcomes));
