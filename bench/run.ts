/**
 * `npm run bench [-- FILTER...] [--full] [--peer NAME] [--runtime NAME] [--json | --save] [--only-missing]
 *   [--without WORD...] [--list] [--server-flag FLAG...]`
 *
 * Runs the benches whose names contain one of the filters (all of them without a filter), one after the other; `--full`
 * runs the long ones too. `--peer go-control-plane` runs the comparison with a reference server instead, on the shapes that
 * the filters name. `--runtime deno` runs the control plane on Deno; its clients stay on Node.
 *
 * `--json` prints the result as JSON on standard output. `--save` adds it to `perf-results/` as soon as a suite has ended, so
 * that a run may be stopped at any time. `--only-missing` leaves out what is there for the sources as they are, `--without`
 * what has one of these words in its name. `--list` says what would run, and for how long.
 */
import { constants } from "node:os";
import process from "node:process";
import { parseArgs } from "node:util";
import { beginRun, isUnchangedSince } from "./machine.ts";
import type { ExactCount, Findings, Measurement } from "./measurement.ts";
import { PEER } from "./peers/go-control-plane.ts";
import { comparisonTable, countLine, measurementLine, measurementTable } from "./report.ts";
import { readRuns, type SavedRun, SCHEMA, saveRun } from "./saved-runs.ts";
import { estimateOf, scheduleOf } from "./schedule.ts";
import { RUNTIMES, type RuntimeName, serverProgram } from "./server-program.ts";
import { chosenSuites, ownSuites, peerSuites, type Suite } from "./suites.ts";

const PARENT_LOOK_MS = 500;

const { values, positionals } = readArguments();
const server = serverProgram(values.runtime, values["server-flag"]);
const contextNow = beginRun(process.argv.slice(2), server.runtime);
const say = (text: string) => {
  if (!values.json) process.stdout.write(`${text}\n`);
};
const tell = (text: string) => process.stderr.write(`${text}\n`);

// What was started and written for it goes as the process does.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => process.exit(128 + constants.signals[signal]));
}

// SIGTERM to npm ends the shell between them, and is not told to this process.
const parent = process.ppid;
const look = () => process.ppid === parent || process.exit(128 + constants.signals.SIGTERM);
if (process.env["npm_lifecycle_event"] !== undefined) setInterval(look, PARENT_LOOK_MS).unref();

function readArguments() {
  try {
    const read = parseArgs({
      allowPositionals: true,
      options: {
        full: { type: "boolean", default: false },
        peer: { type: "string" },
        runtime: { type: "string", default: "node" },
        json: { type: "boolean", default: false },
        save: { type: "boolean", default: false },
        "only-missing": { type: "boolean", default: false },
        without: { type: "string", multiple: true, default: [] },
        list: { type: "boolean", default: false },
        "server-flag": { type: "string", multiple: true, default: [] },
      },
    });
    const { peer, runtime } = read.values;
    if (peer !== undefined && peer !== PEER) throw new Error(`there is no peer ${peer}; there is ${PEER}`);
    const found = RUNTIMES.find((name) => name === runtime);
    if (found === undefined) throw new Error(`there is no runtime ${runtime}; there are ${RUNTIMES.join(" and ")}`);
    if (peer !== undefined && found !== "node") throw new Error("the comparison with a peer runs on Node");
    return { ...read, values: { ...read.values, runtime: found satisfies RuntimeName } };
  } catch (error) {
    process.stderr.write(`npm run bench: ${(error as Error).message}\n`);
    process.exit(2);
  }
}

const schedule = scheduleOf(readRuns(), server.runtime.name, (commit) => isUnchangedSince(commit));
const suites = values.peer === undefined ? ownSuites(server, values.full) : await peerSuites(server, values.full);
const chosen = chosenSuites(suites, positionals);
const wanted = chosen
  .filter(({ name }) => !values.without.some((word) => name.includes(word)))
  .filter(({ name }) => !values["only-missing"] || !schedule.isKept(name));
const measurements: Measurement[] = [];
const counts: ExactCount[] = [];
const ran: { readonly name: string; readonly seconds: number }[] = [];

if (values.list) {
  for (const { name } of wanted) {
    const seconds = schedule.secondsOf(name);
    say(
      `${name}: ${seconds === undefined ? "no kept run has it" : `${seconds} s`}${schedule.isKept(name) ? ", kept" : ""}`,
    );
  }
  say(estimateOf(namesOf(wanted), schedule));
} else {
  for (const [place, suite] of wanted.entries()) {
    const toGo = estimateOf(namesOf(wanted.slice(place)), schedule);
    if (isWanted(suite.name)) tell(`[${place + 1}/${wanted.length}] ${suite.name}; to go: ${toGo}`);
    await runSuite(suite);
  }
  if (values.json) process.stdout.write(`${JSON.stringify(runOf({ measurements, counts }, ran))}\n`);
  if (chosen.length > 0 && wanted.length === 0) tell("nothing is missing");
  else if (measurements.length + counts.length === 0 && suites.length > 0 && process.exitCode === undefined) {
    tell(`no bench has a name with ${positionals.join(" or ")} in it`);
    process.exitCode = 2;
  }
}

function isWanted(name: string): boolean {
  return positionals.length === 0 || positionals.some((filter) => name.includes(filter));
}

async function runSuite({ name, run }: Suite): Promise<void> {
  const startedMs = performance.now();
  const found = await run(isWanted).catch((error: unknown): Findings => {
    // What the others have measured is not lost with it.
    tell(`${name} failed: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
    return { measurements: [], counts: [] };
  });
  if (found.measurements.length + found.counts.length === 0) return;
  const suite = { name, seconds: Math.ceil((performance.now() - startedMs) / 1000) };
  ran.push(suite);
  measurements.push(...found.measurements);
  counts.push(...found.counts);
  show(found);
  // A part of a suite does not say how long it takes, nor that all of it is there.
  if (values.save) tell(`saved in ${saveRun(runOf(found, isWanted(name) ? [suite] : []))}`);
}

function show(found: Findings): void {
  if (values.peer !== undefined) say(comparisonTable(found.measurements));
  else if (process.stdout.isTTY) say(`\n${measurementTable(found.measurements)}`);
  else for (const measurement of found.measurements) say(measurementLine(measurement));
  for (const count of found.counts) say(countLine(count));
}

function runOf(found: Findings, own: SavedRun["suites"] & object): SavedRun {
  return { schema: SCHEMA, ...contextNow(), suites: own, ...found };
}

function namesOf(some: readonly Suite[]): readonly string[] {
  return some.map(({ name }) => name);
}
