/** All benches by name, and which of them were asked for. */
import process from "node:process";
import { costSuite } from "./cost.ts";
import { envoyMemorySuite } from "./envoy-memory.ts";
import { hostileRateSuites, hostileSuite } from "./hostile-suite.ts";
import { httpSuite } from "./http.ts";
import type { Findings } from "./measurement.ts";
import { memorySuite } from "./memory.ts";
import { generateTimings } from "./micro/generate.ts";
import { pushTimings } from "./micro/push.ts";
import { sessionTimings } from "./micro/session.ts";
import { signTimings } from "./micro/sign.ts";
import { stepTimings } from "./micro/step.ts";
import { type TimingGroup, timeGroup } from "./micro/timing.ts";
import { translateTimings } from "./micro/translate.ts";
import { viewTimings } from "./micro/view.ts";
import { yardstickTimings } from "./micro/yardstick.ts";
import { buildPeer, PEER } from "./peers/go-control-plane.ts";
import { type Routes, versus, versusName } from "./peers/versus.ts";
import { processSuite } from "./process-figures.ts";
import { libraryScenarios, usualScenarios } from "./scenarios.ts";
import type { ServerProgram } from "./server-program.ts";
import { slowReaderSuites } from "./slow-readers.ts";
import { soakSuite } from "./soak-suite.ts";

/** Benches that are run together; `name` starts the names of all that it finds. */
export interface Suite {
  readonly name: string;
  run(isWanted: (name: string) => boolean): Promise<Findings>;
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

const SOAK = "fleet/soak";

/** On Deno those that see the control plane from outside: the others are the bench's own process, or look into Node. */
export function ownSuites(server: ServerProgram, isFull: boolean): readonly Suite[] {
  const { flags } = server;
  const library = isFull ? libraryScenarios(server) : [];
  const scenarios = [...usualScenarios(server), ...library.filter(({ name }) => name !== SOAK)];
  // Ten minutes each: last, so that a run can be stopped before them.
  const soaks = library.filter(({ name }) => name === SOAK);
  if (server.runtime.name !== "node") return [...scenarios, ...soaks];
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
    httpSuite,
    ...scenarios,
    ...(isFull ? longSuites(flags) : []),
    ...(isFull ? [...soaks, soakSuite(flags)] : []),
  ];
}

function longSuites(flags: readonly string[]): readonly Suite[] {
  return [
    ...memorySuite,
    hostileSuite(flags),
    ...hostileRateSuites(flags),
    ...slowReaderSuites(flags),
    envoyMemorySuite,
  ];
}

/** What a peer is compared on; with --full also other sizes, and scopes of 50 in 5,000 (S5). */
const USUAL_PEER_RUNS: readonly (readonly [shape: string, routes?: Routes])[] = [["W2"], ["X5"]];
const PEER_RUNS = {
  usual: USUAL_PEER_RUNS,
  full: [["W1"], ...USUAL_PEER_RUNS, ["W3"], ["W3", "one table"], ["S5"]] as typeof USUAL_PEER_RUNS,
};

/** None, with the reason on standard error, where the peer cannot be built. */
export async function peerSuites({ flags }: ServerProgram, isFull: boolean): Promise<readonly Suite[]> {
  const built = await buildPeer();
  if ("missing" in built) {
    process.stderr.write(`skipped: peer ${PEER}: ${built.missing}\n`);
    return [];
  }
  return PEER_RUNS[isFull ? "full" : "usual"].map(([shape, routes]) => {
    const name = versusName(shape, routes);
    return {
      name,
      run: async (isWanted) =>
        isWanted(name) ? versus(shape, built.program, flags, routes) : { measurements: [], counts: [] },
    };
  });
}

/** Those that a filter names or, where there is none of its name, that may hold something of it. */
export function chosenSuites(suites: readonly Suite[], filters: readonly string[]): readonly Suite[] {
  if (filters.length === 0) return suites;
  const within = filters.filter((filter) => !suites.some(({ name }) => name.includes(filter)));
  return suites.filter(
    ({ name }) =>
      filters.some((filter) => name.includes(filter)) ||
      within.some((filter) => filter.startsWith(`${name}/`) || !filter.includes("/")),
  );
}
