/**
 * `npm run bench [-- FILTER...] [--full] [--peer NAME] [--json | --save] [--server-flag FLAG...]`
 *
 * Runs the benches whose names contain one of the filters (all of them without a filter), one after the other; `--full`
 * runs the long ones too. `--peer go-control-plane` runs the comparison with a reference server instead, on the shapes that
 * the filters name. `--json` prints the result as JSON on standard output, `--save` adds it to `perf-results/`.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { costSuite } from "./cost.ts";
import { envoyMemorySuite } from "./envoy-memory.ts";
import { hostileSuite } from "./hostile-suite.ts";
import { httpSuite } from "./http.ts";
import { runContext } from "./machine.ts";
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
import { buildPeer } from "./peers/go-control-plane.ts";
import { type Routes, versus, versusName } from "./peers/versus.ts";
import { processSuite } from "./process-figures.ts";
import { comparisonTable, countLine, measurementLine, measurementTable } from "./report.ts";
import { type SavedRun, saveRun } from "./saved-runs.ts";
import { libraryScenarios, usualScenarios } from "./scenarios.ts";
import { soakSuite } from "./soak-suite.ts";

/** The one that there is. */
const PEER = "go-control-plane";

/** Benches that are run together; `name` starts the names of all that it finds. */
export interface Suite {
  readonly name: string;
  run(isWanted: (name: string) => boolean): Promise<Findings>;
}

const { values, positionals } = readArguments();
const say = (text: string) => {
  if (!values.json) process.stdout.write(`${text}\n`);
};

function readArguments() {
  try {
    const read = parseArgs({
      allowPositionals: true,
      options: {
        full: { type: "boolean", default: false },
        peer: { type: "string" },
        json: { type: "boolean", default: false },
        save: { type: "boolean", default: false },
        "server-flag": { type: "string", multiple: true, default: [] },
      },
    });
    if (read.values.peer === undefined || read.values.peer === PEER) return read;
    throw new Error(`there is no peer ${read.values.peer}; there is ${PEER}`);
  } catch (error) {
    process.stderr.write(`npm run bench: ${(error as Error).message}\n`);
    process.exit(2);
  }
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

function ownSuites(): readonly Suite[] {
  const flags = values["server-flag"];
  return [
    ...microGroups.map((group) => ({
      name: `micro/${group.name}`,
      run: async (isWanted: (name: string) => boolean) => ({
        measurements: await timeGroup(group, isWanted),
        counts: [],
      }),
    })),
    ...processSuite,
    costSuite,
    ...usualScenarios(flags),
    httpSuite,
    ...(values.full ? [...libraryScenarios(flags), hostileSuite(true, flags), soakSuite(flags), envoyMemorySuite] : []),
  ];
}

/** What a peer is compared on; with --full also the smallest and the next larger mesh. */
const USUAL_PEER_RUNS: readonly (readonly [shape: string, routes?: Routes])[] = [["W2"], ["X5"]];
const PEER_RUNS = {
  usual: USUAL_PEER_RUNS,
  full: [["W1"], ...USUAL_PEER_RUNS, ["W3"], ["W3", "one table"]] as typeof USUAL_PEER_RUNS,
};

/** None, with the reason on standard error, where the peer cannot be built. */
async function peerSuites(): Promise<readonly Suite[]> {
  const built = await buildPeer();
  if ("missing" in built) {
    process.stderr.write(`skipped: peer ${PEER}: ${built.missing}\n`);
    return [];
  }
  const flags = values["server-flag"];
  return (values.full ? PEER_RUNS.full : PEER_RUNS.usual).map(([shape, routes]) => {
    const name = versusName(shape, routes);
    return {
      name,
      run: async (isWanted) =>
        isWanted(name) ? versus(shape, built.program, flags, routes) : { measurements: [], counts: [] },
    };
  });
}

const suites = values.peer === undefined ? ownSuites() : await peerSuites();
const measurements: Measurement[] = [];
const counts: ExactCount[] = [];
let hasFailed = false;
// A filter names whole suites or, where there is none of its name, something inside one: then groups are made to see.
const within = positionals.filter((filter) => !suites.some(({ name }) => name.includes(filter)));
for (const suite of suites) {
  const isWanted = (name: string) => positionals.length === 0 || positionals.some((filter) => name.includes(filter));
  const mayHold = within.some((filter) => filter.startsWith(`${suite.name}/`) || !filter.includes("/"));
  if (!isWanted(suite.name) && !mayHold) continue;
  const found = await suite.run(isWanted).catch((error: unknown): Findings => {
    // What the others have measured is not lost with it.
    process.stderr.write(`${suite.name} failed: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
    hasFailed = true;
    return { measurements: [], counts: [] };
  });
  if (found.measurements.length + found.counts.length === 0) continue;
  measurements.push(...found.measurements);
  counts.push(...found.counts);
  if (values.peer !== undefined) say(comparisonTable(found.measurements));
  else if (process.stdout.isTTY) say(`\n${measurementTable(found.measurements)}`);
  else for (const measurement of found.measurements) say(measurementLine(measurement));
  for (const count of found.counts) say(countLine(count));
}
if (measurements.length + counts.length === 0 && suites.length > 0 && !hasFailed) {
  process.stderr.write(`no bench has a name with ${positionals.join(" or ")} in it\n`);
  process.exitCode = 2;
}

const run: SavedRun = { schema: 2, ...runContext(process.argv.slice(2)), measurements, counts };
if (values.json) process.stdout.write(`${JSON.stringify(run)}\n`);
if (values.save && measurements.length + counts.length > 0) process.stderr.write(`saved in ${saveRun(run)}\n`);
