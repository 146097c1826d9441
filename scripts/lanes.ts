import { availableParallelism, tmpdir } from "node:os";
import { delimiter, join } from "node:path";

/** One program whose end says whether a part of the project is in order. */
export interface Lane {
  /** As the table shows it. */
  readonly name: string;
  readonly command: readonly [program: string, ...args: string[]];
  /** Where `lane-reporter.ts` writes what became of each test; none for a lane that counts as one test itself. */
  readonly reportFile?: string;
}

/** A run of some vitest projects, on Node unless `runtime` says otherwise; `filter` goes to vitest as it is. */
export function testLane(
  name: string,
  projects: readonly string[],
  { runtime = ["node"], filter = [] }: { runtime?: readonly string[]; filter?: readonly string[] } = {},
): Lane {
  const reportFile = join(tmpdir(), `osm-lane-${process.pid}-${name.replaceAll(/\W+/g, "-")}.json`);
  const [program = "node", ...first] = runtime;
  const selected = projects.flatMap((project) => ["--project", project]);
  const reporters = ["--reporter", "dot", "--reporter", "./scripts/lane-reporter.ts"];
  return {
    name,
    command: [program, ...first, "node_modules/vitest/vitest.mjs", "run", ...selected, ...reporters, ...filter],
    reportFile,
  };
}

/** Whether the sources are in order, without running them. */
export const staticLanes: readonly Lane[] = [
  { name: "format and lint", command: ["biome", "check", "."] },
  { name: "promises", command: ["oxlint", "--type-aware"] },
  { name: "types", command: ["tsc", "-p", "."] },
];

const quick = ["unit", "property"];
const portable = [...quick, "fleet"];

/** The tests that need this checkout alone and take seconds, on both runtimes. */
export const quickLanes: readonly Lane[] = onBothRuntimes(quick);

/** The tests that every machine can run, on both runtimes. */
export function portableLanes(filter: readonly string[] = []): readonly Lane[] {
  return onBothRuntimes(portable, filter);
}

/** vitest itself needs all permissions on Deno. */
function onBothRuntimes(projects: readonly string[], filter: readonly string[] = []): readonly Lane[] {
  return [
    testLane("tidy", ["tidy"], { filter }),
    testLane("unit, Node", projects, { filter }),
    testLane("unit, Deno", projects, { filter, runtime: ["deno", "run", "-A"] }),
  ];
}

/** The same tests on the older Nodes that the set-up found for `npm test`. */
export function olderNodeLanes(filter: readonly string[] = []): readonly Lane[] {
  const programs = (process.env.OLDER_NODES ?? "").split(delimiter).filter(Boolean);
  return programs.map((program) => {
    const version = /\/(\d+)\.\d+\.\d+\//.exec(program)?.[1] ?? program;
    return testLane(`unit, Node ${version}`, portable, { filter, runtime: [program] });
  });
}

/** The tests that start real programs: our own commands on each runtime, Envoys, pods. */
export function processLanes(filter: readonly string[] = []): readonly Lane[] {
  return [
    testLane("runtimes", ["runtime"], { filter }),
    testLane("load", ["load"], { filter }),
    testLane("envoy", ["envoy"], { filter }),
    testLane("local", ["local"], { filter }),
  ];
}

/** vitest spreads a lane over all cores but spends half of them waiting: two lanes keep four cores busy. */
export const lanesAtOnce = Math.max(1, Math.floor(availableParallelism() / 2));
