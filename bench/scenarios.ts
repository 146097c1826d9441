/**
 * Scenarios of the fleet as benches: a control plane of its own for each, the workloads one after the other, and the fleet's
 * oracle at the end. What fails the oracle has no numbers.
 */
import process from "node:process";
import { progressWriter } from "../src/cli/fleet-output.ts";
import {
  type Delays,
  libraryNames,
  libraryScenario,
  type PhaseReport,
  type RunReport,
  readScenario,
  runScenario,
  type Scenario,
  type Setting,
} from "../src/fleet/mod.ts";
import { silentLog, systemClock } from "../src/lib/mod.ts";
import { type ExactCount, type Findings, type Measurement, summarize, type Unit } from "./measurement.ts";
import type { ServerProgram } from "./server-program.ts";

export interface ScenarioSuite {
  readonly name: string;
  run(isWanted: (name: string) => boolean): Promise<Findings>;
}

/** A few hundred proxies, two thousand with a sparse call graph, five thousand. */
const SHAPES = ["O400", "K", "XL"] as const;
const SECONDS = 8;
/** Longer than any scenario takes: what hangs costs the others no more. */
const GIVEN_UP_MS = 20 * 60_000;

/** Cold start, endpoint churn, rolling update, policy edit and certificates on each of the usual shapes. */
export function usualScenarios(server: ServerProgram): readonly ScenarioSuite[] {
  return SHAPES.map((shape) => {
    const phases = [
      { name: "endpoint churn", action: "endpoint-churn", rate: 10, for: `${SECONDS}s` },
      { name: "rolling update", action: "rolling-update", rate: 20, for: `${SECONDS}s` },
      { name: "policy edit", action: "policy-edit", rate: 1, for: `${SECONDS}s` },
      { name: "certificates", action: "rotate-certificates" },
    ];
    const text = JSON.stringify({ name: shape, shape, patience: "60s", phases });
    return suiteOf(`fleet/${shape}`, () => readScenario(text, shape), server);
  });
}

/** Scenarios that are also run on other shapes than their own, or at other rates. */
const VARIANTS: readonly {
  readonly scenario: string;
  readonly variant: string;
  readonly settings: readonly Setting[];
}[] = [
  {
    // Pods of one service account share a certificate: X5 has a hundred.
    scenario: "certificates",
    variant: "5,000 identities",
    settings: [
      {
        path: "shape",
        value: "{services: 5000, pods: 1, namespaces: 50, mode: smi, calls: {kind: degree, degree: 2}}",
      },
    ],
  },
  { scenario: "endpoint-change", variant: "S5", settings: [{ path: "shape", value: "S5" }] },
  { scenario: "endpoint-change", variant: "X5", settings: [{ path: "shape", value: "X5" }] },
  {
    scenario: "endpoint-churn",
    variant: "15,000 proxies",
    settings: [
      { path: "shape", value: "{base: XXL, services: 750}" },
      ...[10, 50, 100].flatMap((rate, place) => [
        { path: `phases.${place}.name`, value: `${rate} per second` },
        { path: `phases.${place}.rate`, value: String(rate) },
        { path: `phases.${place}.for`, value: "10s" },
      ]),
    ],
  },
];
/** A phase in which nothing happens: what the server uses in it is housekeeping. */
const IDLE = "idle";

/** Every scenario that comes with the fleet. */
export function libraryScenarios(server: ServerProgram): readonly ScenarioSuite[] {
  return [
    ...libraryNames().map((name) => suiteOf(`fleet/${name}`, () => libraryScenario(name), server)),
    ...VARIANTS.map(({ scenario, variant, settings }) =>
      suiteOf(`fleet/${scenario}/${variant}`, () => libraryScenario(scenario, settings), server),
    ),
  ];
}

function suiteOf(name: string, read: () => Scenario, { command, flags }: ServerProgram): ScenarioSuite {
  return {
    name,
    async run(isWanted) {
      if (!isWanted(name)) return { measurements: [], counts: [] };
      const scenario = read();
      const note = (text: string) => void process.stderr.write(text);
      const progress = progressWriter({ note }, process.stderr.isTTY === true);
      const report = await runScenario({
        scenario: scenario.target.kind === "serve" ? { ...scenario, target: { ...scenario.target, flags } } : scenario,
        serve: { command, env: process.env },
        clock: systemClock(),
        log: silentLog(),
        progress: progress.tell,
        signal: AbortSignal.timeout(GIVEN_UP_MS),
      }).finally(progress.end);
      return findingsOf(name, report);
    },
  };
}

function findingsOf(name: string, { phases, oracle, scenario, errors }: RunReport): Findings {
  if (!oracle.isPassed) {
    process.stderr.write(
      `${name} fails the oracle and has no numbers:\n${oracle.differences.slice(0, 5).join("\n")}\n`,
    );
    process.exitCode = 1;
    return { measurements: [], counts: [] };
  }
  const counts: ExactCount[] = [
    {
      name: `${name}: connections and streams that failed`,
      value: Object.values(errors).reduce((sum, n) => sum + n, 0),
    },
  ];
  const measured = phases.flatMap((phase) => measurementsOf(name, phase, scenario.proxies));
  return { measurements: [...measured, ...illToWell(name, phases), ...eventCosts(name, phases)], counts };
}

/** What each event costs beside the server's housekeeping, where a scenario has a phase of that alone. */
function eventCosts(scenario: string, phases: readonly PhaseReport[]): readonly Measurement[] {
  const secondsOf = ({ startMs, endMs }: PhaseReport) => (endMs - startMs) / 1000;
  const idle = phases.find(({ name }) => name === IDLE);
  if (idle?.serverCpuSeconds === undefined) return [];
  const share = idle.serverCpuSeconds / secondsOf(idle);
  return phases.flatMap((phase): readonly Measurement[] => {
    const { name, changes, serverCpuSeconds } = phase;
    if (changes === 0 || serverCpuSeconds === undefined) return [];
    const microseconds = ((serverCpuSeconds - share * secondsOf(phase)) * 1e6) / changes;
    return [{ name: `${scenario}: ${name}, server CPU per event`, unit: "µs", samples: summarize([microseconds]) }];
  });
}

/** Of phases that take turns, `well 1`, `ill 1`, `well 2` and so on: what some who are ill cost the others. */
function illToWell(scenario: string, phases: readonly PhaseReport[]): Measurement[] {
  const figures = [
    ["p50", (phase: PhaseReport) => phase.toEach?.p50],
    ["p99", (phase: PhaseReport) => phase.toEach?.p99],
    ["server memory", (phase: PhaseReport) => phase.serverRssBytes],
  ] as const;
  return figures.flatMap(([what, figure]) => {
    const ratios = phases.flatMap((ill) => {
      const well = phases.find(({ name }) => name === ill.name.replace(/^ill /, "well "));
      const [more, less] = [figure(ill), well === undefined || well === ill ? undefined : figure(well)];
      return more === undefined || less === undefined ? [] : [more / less];
    });
    const name = `${scenario}: ${what} beside ill proxies, ratio`;
    return ratios.length === 0 ? [] : [{ name, unit: "ratio" as const, samples: summarize(ratios) }];
  });
}

function measurementsOf(scenario: string, phase: PhaseReport, proxies: number): Measurement[] {
  const found: Measurement[] = [];
  // Where the clients are the bottleneck the server may be faster than this says.
  const name = `${scenario}: ${phase.name}${phase.isBoundByClient ? " (bound by the client)" : ""}`;
  const add = (what: string, unit: Unit, value: number | undefined) => {
    if (value === undefined || !Number.isFinite(value)) return;
    found.push({ name: `${name}, ${what}`, unit, samples: summarize([value]) });
  };
  const addDelays = (what: string, delays: Delays | undefined) => {
    if (delays === undefined) return;
    const { count: taken, p50, p99, max } = delays;
    // The summary is of all, the kept values are a part of them.
    found.push({ name: `${name}, ${what}`, unit: "ms", samples: { ...summarize(delays.kept), taken, p50, p99, max } });
  };
  addDelays("to each proxy", phase.toEach);
  addDelays("to the last proxy", phase.toLast);
  addDelays("until a proxy is warm", phase.opened?.toEach);
  const { serverCpuSeconds, deliveries } = phase;
  if (serverCpuSeconds !== undefined) {
    add("server CPU per delivery", "µs", (serverCpuSeconds * 1e6) / deliveries);
    if (phase.opened !== undefined) add("server CPU per proxy", "µs", (serverCpuSeconds * 1e6) / phase.opened.proxies);
  }
  add("bytes per delivery", "bytes", phase.bytes / deliveries);
  if (phase.needed !== undefined) add("deliveries per needed one", "ratio", deliveries / phase.needed);
  add("resources generated", "count", phase.generated);
  if (phase.serverRssBytes !== undefined)
    add("server memory per proxy", "MiB", phase.serverRssBytes / 2 ** 20 / proxies);
  add("server loop delay, p99.9", "ms", phase.serverLoopDelayP999Ms);
  return found;
}
