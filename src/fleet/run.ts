import { availableParallelism } from "node:os";
import process from "node:process";
import type { Clock, Log } from "../lib/mod.ts";
import { type PlannedPhase, planPhases } from "./action-plan.ts";
import { counted } from "./counted.ts";
import { issueCredentials, OSM_COMMON_NAME, type Subject } from "./credentials.ts";
import type { FolderFeed } from "./feed.ts";
import { startFleet } from "./fleet.ts";
import type { Fleet, ProxySpec } from "./fleet-api.ts";
import { type NodeTemplates, nodeOf } from "./node-templates.ts";
import type { PhaseReport, RunReport } from "./report-result.ts";
import type { PhaseContext } from "./run-context.ts";
import { FigureReader, sampleProcesses } from "./run-figures.ts";
import { judge } from "./run-judge.ts";
import { runColdStart, runPhase } from "./run-phase.ts";
import { RunProxies } from "./run-proxies.ts";
import { type Access, type OpenedTarget, openFeed, openTarget, type ServeCommand } from "./run-target.ts";
import type { Scenario } from "./scenario.ts";
import { type FileKey, World } from "./world.ts";
import { serviceName, type WorldPod } from "./world-objects.ts";

export interface RunOptions {
  readonly scenario: Scenario;
  readonly serve: ServeCommand;
  /** For a target that is an address; found out by its admin address when absent. */
  readonly access?: Access;
  /** What proxies say of themselves, to a server that is not of this project. */
  readonly node?: NodeTemplates;
  readonly clock: Clock;
  readonly log: Log;
  /** What happens now, for a person. */
  readonly progress: (text: string) => void;
  /** Aborted: the run ends early, and fails. */
  readonly signal: AbortSignal;
}

/** The run was given up before its end. */
export class RunStopped extends Error {
  override readonly name = "RunStopped";
}

const OSM_NODE: NodeTemplates = { nodeId: OSM_COMMON_NAME, cluster: "{serviceAccount}.{namespace}" };
/** Proxies per process of the fleet. */
const PROXIES_PER_PROCESS = 5000;

/**
 * Runs a scenario from a cold start to the oracle. Rejects with `PlanError`, `TargetError`, `FeedTroubleError`,
 * {@link RunStopped} or `ServerStartError`; what proxies meet is in the report.
 */
export async function runScenario(options: RunOptions): Promise<RunReport> {
  const { scenario, clock, progress, signal } = options;
  const rehearsed = rehearse(scenario);
  const world = new World(scenario.shape);
  const phases = planPhases(scenario.phases, world, scenario.seed);
  const input = openFeed(scenario);
  let opened: OpenedTarget | undefined;
  let fleet: Fleet | undefined;
  let sampling: ReturnType<typeof sampleBoth> | undefined;
  const startedAt = new Date(clock.now()).toISOString();
  // Whatever is waited for of the fleet ends with it.
  const giveUp = () => void fleet?.stop();
  signal.addEventListener("abort", giveUp);
  try {
    opened = await openWithWorld(options, input, world, rehearsed.files);
    await opened.knows(world.pods());
    const first = connectedAtFirst(scenario);
    const pods = podsWithProxy(rehearsed.pods, first, world.everyPod.length);
    fleet = await fleetOf(options, opened, pods);
    const clientPids = (await fleet.usage()).map(({ pid }) => pid);
    const sources = opened.figures;
    sampling = sampleBoth(sources, clientPids, clock);
    const proxies = new RunProxies(world, first, { size: pods.length, seed: scenario.seed });
    const figures = new FigureReader(sources);
    const context = contextOf(options, { world, fleet, proxies, feed: input.feed, opened, figures });
    const reports = await runPhases(phases, context, scenario);
    if (signal.aborted) throw new RunStopped();
    const samples = sampling.stop();
    progress(`${scenario.name}: checking what every proxy has`);
    const oracle = await judge(context, { scenario, reports });
    const counts = await fleet.counts();
    const unread = figures.errors();
    return {
      ...describe(scenario, startedAt, opened.target.address),
      phases: oracle.isPassed ? reports : [],
      samples,
      oracle,
      errors: { ...counts.errors, ...unread.errors },
      errorExamples: { ...counts.errorExamples, ...unread.errorExamples },
      requiredEndpoints: counts.requiredEndpoints,
    };
  } catch (error) {
    throw signal.aborted ? new RunStopped(`${scenario.name} was given up`) : error;
  } finally {
    signal.removeEventListener("abort", giveUp);
    sampling?.stop();
    try {
      await fleet?.stop();
      await opened?.close();
    } finally {
      // A folder that is away comes back whatever else has failed.
      input.close();
    }
  }
}

/** Samples the processes of the server and of the clients until it is stopped. */
function sampleBoth(sources: OpenedTarget["figures"], clientPids: readonly number[], clock: Clock) {
  const server = sampleProcesses(() => sources.flatMap(({ pid }) => pid?.() ?? []), clock);
  const clients = sampleProcesses(() => clientPids, clock);
  return { stop: () => ({ server: server.stop(), clients: clients.stop() }) };
}

/** Goes through all changes without making them: which files they write, and which pods there ever are. */
function rehearse(scenario: Scenario): { readonly files: ReadonlySet<FileKey>; readonly pods: readonly WorldPod[] } {
  const world = new World(scenario.shape);
  const files = new Set<FileKey>();
  for (const { steps } of planPhases(scenario.phases, world, scenario.seed)) {
    for (const step of steps) if (step.kind === "change") for (const key of step.apply(world).files) files.add(key);
  }
  return { files, pods: world.everyPod };
}

/** The control plane, with the world in its folder: one that the run starts begins with it. */
async function openWithWorld(
  options: RunOptions,
  { feed, folder }: ReturnType<typeof openFeed>,
  world: World,
  changing: ReadonlySet<FileKey>,
): Promise<OpenedTarget> {
  const { scenario, progress } = options;
  const open = () => openTarget(scenario, { ...options, folder });
  // Nothing is written for a server that does not answer.
  const running = scenario.target.kind === "address" ? await open() : undefined;
  if (running !== undefined) feed?.claim();
  const files = feed?.writeAll(world, changing) ?? 0;
  progress(`${scenario.name}: ${counted(world.pods().length, "pod")}, ${counted(files, "file")}`);
  return running ?? (await open());
}

/** Spread evenly over the pods that there are at first. */
function connectedAtFirst({ shape, proxies }: Scenario): readonly number[] {
  const pods = shape.services * shape.pods;
  return Array.from({ length: proxies }, (_, n) => Math.floor((n * pods) / proxies));
}

/** Those that have one at first, and all that come later. */
function podsWithProxy(pods: readonly WorldPod[], first: readonly number[], initial: number): readonly WorldPod[] {
  const wanted = new Set(first);
  return pods.filter(({ id }) => wanted.has(id) || id >= initial);
}

async function fleetOf(options: RunOptions, opened: OpenedTarget, pods: readonly WorldPod[]): Promise<Fleet> {
  const { scenario, clock, log, progress } = options;
  const subjects = pods.map(subjectOf);
  progress(`${scenario.name}: making ${counted(subjects.length, "credential")}`);
  const credentials = await issueCredentials(opened.credentials, subjects, clock);
  const specs = subjects.map(
    (subject, place): ProxySpec => ({
      id: subject.n,
      ...nodeOf(options.node ?? OSM_NODE, subject),
      protocol: scenario.protocol,
      behaviour: { kind: "normal" },
      ...credentials[place],
    }),
  );
  const processes = scenario.processes ?? Math.ceil(scenario.proxies / PROXIES_PER_PROCESS);
  return await startFleet({ target: opened.target, proxies: specs, processes, clock, log });
}

function subjectOf(pod: WorldPod): Subject {
  const { id: n, uuid, namespace, serviceAccount, name } = pod;
  return { n, uuid, namespace, service: serviceName(pod.service), serviceAccount, pod: name };
}

function contextOf(
  { clock, progress, signal, scenario }: RunOptions,
  parts: {
    readonly world: World;
    readonly fleet: Fleet;
    readonly proxies: RunProxies;
    readonly feed: FolderFeed | undefined;
    readonly opened: OpenedTarget;
    readonly figures: FigureReader;
  },
): PhaseContext {
  const { world, fleet, proxies, feed, opened, figures } = parts;
  let changeId = 0;
  return {
    world,
    fleet,
    proxies,
    feed,
    clock,
    patienceMs: scenario.patienceMs,
    startedMs: clock.monotonic(),
    nextChangeId: () => ++changeId,
    figures: () => figures.read(),
    replicas: opened.figures.length,
    async restart(replica) {
      await figures.ending(replica);
      const downMs = await opened.restart(replica);
      figures.began(replica);
      return downMs;
    },
    async drain(replica) {
      await figures.ending(replica);
      return await opened.drain(replica);
    },
    rotate: opened.rotate,
    heldUp: opened.heldUp,
    progress,
    signal,
  };
}

async function runPhases(
  phases: readonly PlannedPhase[],
  context: PhaseContext,
  scenario: Scenario,
): Promise<readonly PhaseReport[]> {
  const { proxies, fleet, progress, signal } = context;
  progress(`${scenario.name}: connecting ${counted(proxies.connected().length, "proxy", "proxies")}`);
  const reports = [await runColdStart(context, scenario.connectPerSecond)];
  // Where nobody gets in there is nothing to be seen.
  if ((reports[0]?.opened?.toEach?.count ?? 0) === 0) return reports;
  for (const { share, behaviour } of scenario.behaviours) {
    const ids = proxies.draw(share);
    await fleet.setBehaviour(ids, behaviour);
    proxies.setHealth(ids, behaviour.kind === "normal");
  }
  for (const phase of phases) {
    if (signal.aborted) break;
    progress(phase.name);
    reports.push(await runPhase(phase, context));
  }
  return reports;
}

function describe(
  scenario: Scenario,
  startedAt: string,
  target: string,
): Pick<RunReport, "schema" | "scenario" | "startedAt" | "machine" | "target"> {
  const { name, workload, description, seed, shapeName, shape, proxies, protocol } = scenario;
  return {
    schema: 1,
    scenario: { name, workload, description, seed, shapeName, shape, proxies, protocol },
    startedAt,
    machine: {
      cpus: availableParallelism(),
      runtime: "deno" in process.versions ? `Deno ${process.versions["deno"]}` : `Node ${process.version}`,
      platform: `${process.platform} ${process.arch}`,
    },
    target,
  };
}
