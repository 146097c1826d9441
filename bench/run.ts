/**
 * `npm run bench [-- FILTER...] [-- --json | --save]`
 *
 * Runs the benches whose names contain one of the filters (all of them without a filter), one after the other. `--json`
 * prints the result as JSON on standard output, `--save` puts it into `perf-results/`.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { endToEndSuite } from "./end-to-end.ts";
import { type RunContext, runContext } from "./machine.ts";
import type { ExactCount, Findings, Measurement } from "./measurement.ts";
import { generateTimings } from "./micro/generate.ts";
import { pushTimings } from "./micro/push.ts";
import { sessionTimings } from "./micro/session.ts";
import { signTimings } from "./micro/sign.ts";
import { stepTimings } from "./micro/step.ts";
import { type TimingGroup, timeGroup } from "./micro/timing.ts";
import { translateTimings } from "./micro/translate.ts";
import { viewTimings } from "./micro/view.ts";
import { yardstickTimings } from "./micro/yardstick.ts";
import { processSuite } from "./process-figures.ts";
import { countLine, measurementLine, measurementTable } from "./report.ts";

/** Benches that are run together; `name` starts the names of all that it finds. */
interface Suite {
  readonly name: string;
  run(isWanted: (name: string) => boolean): Promise<Findings>;
}

/** What a file in `perf-results/` holds; its README says what each field means. */
interface SavedRun extends RunContext, Findings {
  readonly schema: 1;
}

const microGroups: readonly TimingGroup[] = [
  yardstickTimings,
  translateTimings,
  viewTimings,
  generateTimings,
  stepTimings,
  sessionTimings,
  pushTimings,
  signTimings,
];

const suites: readonly Suite[] = [
  ...microGroups.map((group) => ({
    name: `micro/${group.name}`,
    run: async (isWanted: (name: string) => boolean) => ({
      measurements: await timeGroup(group, isWanted),
      counts: [],
    }),
  })),
  ...endToEndSuite,
  ...processSuite,
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: "boolean", default: false }, save: { type: "boolean", default: false } },
});
const isQuiet = values.json;
const say = (text: string) => {
  if (!isQuiet) process.stdout.write(`${text}\n`);
};

const measurements: Measurement[] = [];
const counts: ExactCount[] = [];
for (const suite of suites) {
  // A filter may name a whole suite, or something inside one: then its group is made to see.
  const isWanted = (name: string) => positionals.length === 0 || positionals.some((filter) => name.includes(filter));
  const mayHold = positionals.some((filter) => filter.startsWith(`${suite.name}/`) || !filter.includes("/"));
  if (!isWanted(suite.name) && !mayHold) continue;
  const found = await suite.run(isWanted);
  if (found.measurements.length + found.counts.length === 0) continue;
  measurements.push(...found.measurements);
  counts.push(...found.counts);
  if (process.stdout.isTTY) say(`\n${measurementTable(found.measurements)}`);
  else for (const measurement of found.measurements) say(measurementLine(measurement));
  for (const count of found.counts) say(countLine(count));
}
if (measurements.length + counts.length === 0) {
  process.stderr.write(`no bench has a name with ${positionals.join(" or ")} in it\n`);
  process.exitCode = 2;
}

const saved: SavedRun = { schema: 1, ...runContext(process.argv.slice(2)), measurements, counts };
if (values.json) process.stdout.write(`${JSON.stringify(saved)}\n`);
if (values.save) save(saved);

function save(run: SavedRun): void {
  const folder = new URL("../perf-results/", import.meta.url);
  mkdirSync(folder, { recursive: true });
  const file = new URL(`${run.date.slice(0, 10)}-${run.commit.slice(0, 10)}.json`, folder);
  writeFileSync(file, `${savedText(run)}\n`);
  process.stderr.write(`saved as ${fileURLToPath(file)}\n`);
}

/** One measurement or count a line, so that two runs can be compared by their lines. */
function savedText({ measurements: measured, counts: counted, ...context }: SavedRun): string {
  const lines = (items: readonly unknown[]) => items.map((item) => `\n    ${JSON.stringify(item)}`).join(",");
  const head = JSON.stringify(context, null, 2).slice(0, -2);
  return `${head},\n  "measurements": [${lines(measured)}\n  ],\n  "counts": [${lines(counted)}\n  ]\n}`;
}
