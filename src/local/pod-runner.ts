import { join } from "node:path";
import { ENVOY_UID } from "../injector/mod.ts";
import type { Clock, Log } from "../lib/mod.ts";
import { backoff } from "../lib/mod.ts";
import { STARTING } from "./container.ts";
import type { ProcessUser } from "./container-process.ts";
import { pause } from "./pause.ts";
import {
  endAll,
  graceMsOf,
  initEnd,
  type LaunchedContainer,
  type LaunchOptions,
  launchContainer,
  type PreparedPod,
} from "./pod-containers.ts";
import type { Sandbox } from "./pod-sandbox.ts";

export interface PodOptions {
  readonly namespace: string;
  readonly name: string;
  readonly address: string;
  readonly cwd: string;
  readonly logsDir: string;
  /** Why it cannot run whatever anybody else does, as one sentence. */
  readonly obstacle: () => string | undefined;
  readonly createSandbox: () => Promise<Sandbox>;
  /** Patches the pod; asks the control plane as often as it takes. */
  readonly prepare: (signal: AbortSignal) => Promise<PreparedPod>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly onChange: () => void;
}

export interface PodState {
  readonly phase: "Pending" | "Running" | "Succeeded" | "Failed";
  readonly isReady: boolean;
  readonly isTerminating: boolean;
  /** Why it is not ready; empty when it is. */
  readonly reason: string;
  /** Not ready, and nothing suggests that it becomes so if nobody changes anything. */
  readonly isHopeless: boolean;
  readonly containers: readonly { readonly name: string; readonly isReady: boolean; readonly restarts: number }[];
}

/** What it takes to run another program in a container of a pod. */
export interface PodEntry {
  readonly sandboxPid: number;
  readonly user: ProcessUser;
  readonly env: Readonly<Record<string, string>>;
}

export interface RunningPod {
  state(): PodState;
  /** Undefined while the pod has no namespaces or no such container. */
  entry(container: string): PodEntry | undefined;
  logPath(container: string): string;
  /** Ends the pod: not ready at once, programs told to end after `drainMs`, sidecar last. */
  stop(drainMs: number, graceMs?: number): Promise<void>;
}

const RESTART_BASE_MS = 500;
const RESTART_MAX_MS = 30_000;
const SIDECAR_GRACE_MS = 2000;
const OBSTACLE_CHECK_MS = 1000;
/** Starts that fail in a row for other than passing reasons. */
const ATTEMPTS_HOPELESS = 3;

/** Why a pod does not run. */
interface Obstacle {
  readonly reason: string;
  /** Nothing suggests that it goes away if nobody changes anything. */
  readonly isHopeless: boolean;
}

/** Starts a pod; it is kept running until it is stopped or, by its restart policy, has ended. */
export function startPod(options: PodOptions): RunningPod {
  return new PodRun(options);
}

class PodRun implements RunningPod {
  readonly #options: PodOptions;
  readonly #stopping = new AbortController();
  readonly #ended: Promise<void>;
  #sandbox: Sandbox | undefined;
  #prepared: PreparedPod | undefined;
  #running: LaunchedContainer[] = [];
  #phase: PodState["phase"] = "Pending";
  #obstacle: Obstacle = { reason: STARTING, isHopeless: false };
  #attempts = 0;

  constructor(options: PodOptions) {
    this.#options = options;
    this.#ended = this.#keepAlive();
  }

  state(): PodState {
    return stateOf(this.#phase, this.#running, this.#obstacle, this.#stopping.signal.aborted);
  }

  logPath(container: string): string {
    const { logsDir, namespace, name } = this.#options;
    return join(logsDir, namespace, name, `${container}.log`);
  }

  entry(name: string): PodEntry | undefined {
    const found = this.#running.find((each) => each.name === name);
    if (this.#sandbox === undefined || found === undefined || this.#phase !== "Running") return undefined;
    return { sandboxPid: this.#sandbox.pid, user: found.command.user, env: found.env };
  }

  async stop(drainMs: number, graceMs = graceMsOf(this.#prepared?.pod)): Promise<void> {
    this.#stopping.abort();
    this.#options.onChange();
    if (drainMs > 0 && this.#phase === "Running") await pause(this.#options.clock, drainMs);
    await endAll(
      this.#running.filter(({ role }) => role === "app"),
      graceMs,
    );
    await endAll(this.#running, Math.min(graceMs, SIDECAR_GRACE_MS));
    await this.#sandbox?.destroy();
    await this.#ended;
    // It may have been made in the meantime.
    await this.#sandbox?.destroy();
  }

  async #keepAlive(): Promise<void> {
    const { clock, log, namespace, name } = this.#options;
    const { signal } = this.#stopping;
    const delays = backoff({ baseMs: RESTART_BASE_MS, maxMs: RESTART_MAX_MS, random: this.#options.random });
    while (!signal.aborted) {
      let reason = "its namespaces were killed";
      try {
        if ((await this.#live()) === "over") return;
      } catch (error) {
        if (signal.aborted) return;
        reason = messageOf(error);
        log.warn("a pod could not be started", { pod: `${namespace}/${name}`, reason });
      }
      this.#attempts += 1;
      this.#phase = "Pending";
      this.#obstruct(`${reason}; starting again`, this.#attempts >= ATTEMPTS_HOPELESS);
      await this.#tearDown(0);
      this.#running = [];
      await pause(clock, delays.next(), signal);
    }
  }

  /** One life of the pod's namespaces; "again" when they ended under running containers. */
  async #live(): Promise<"over" | "again"> {
    const { signal } = this.#stopping;
    await this.#obstaclesGone();
    if (signal.aborted) return "over";
    const launch = await this.#setUp();
    if (signal.aborted || !(await this.#initialize(launch)) || signal.aborted) return "over";
    await endAll(this.#running, 0);
    this.#running = launch.pod.pod.spec.containers.map((container) => launchContainer(launch, container, false));
    this.#phase = "Running";
    this.#attempts = 0;
    this.#obstruct("", false);
    await launch.sandbox.ended;
    return signal.aborted || this.#phase !== "Running" ? "over" : "again";
  }

  /** What keeps a pod from running may be mended in another object: a namespace, an image's entry. */
  async #obstaclesGone(): Promise<void> {
    const { obstacle, clock } = this.#options;
    const { signal } = this.#stopping;
    for (let why = obstacle(); why !== undefined && !signal.aborted; why = obstacle()) {
      if (why !== this.#obstacle.reason) this.#obstruct(why, true);
      await pause(clock, OBSTACLE_CHECK_MS, signal);
    }
  }

  /** Makes the namespaces while the control plane is asked. */
  async #setUp(): Promise<LaunchOptions> {
    const options = this.#options;
    const { signal } = this.#stopping;
    const preparing = options.prepare(signal);
    // Awaited below; a failure of the sandbox must not leave it unheard.
    preparing.catch(() => undefined);
    const sandbox = await options.createSandbox();
    this.#sandbox = sandbox;
    this.#obstacle = { reason: "waits for the control plane to give it a sidecar", isHopeless: false };
    const pod = await preparing;
    if (!signal.aborted) {
      this.#prepared = pod;
      await sandbox.putEnvoyFiles(pod.envoyFiles, ENVOY_UID);
    }
    const logPath = (container: string) => this.logPath(container);
    return { ...options, pod, sandbox, logPath, onChange: () => this.#containersChanged() };
  }

  /** Runs the init containers, one after the other; false when one failed for good, or the pod is stopped. */
  async #initialize(launch: LaunchOptions): Promise<boolean> {
    const { signal } = this.#stopping;
    for (const container of launch.pod.pod.spec.initContainers ?? []) {
      const launched = launchContainer(launch, container, true);
      this.#running.push(launched);
      if (await initEnd(launch.clock, signal, () => launched.container.state())) continue;
      if (!signal.aborted) {
        this.#phase = "Failed";
        this.#obstruct(`init container ${container.name}: ${launched.container.state().reason}`, true);
      }
      return false;
    }
    return true;
  }

  #containersChanged(): void {
    const apps = this.#running.filter(({ role }) => role === "app").map(({ container }) => container.state().phase);
    const isOver = this.#phase === "Running" && apps.every((each) => each === "completed" || each === "failed");
    if (isOver && !this.#stopping.signal.aborted) {
      this.#phase = apps.includes("failed") ? "Failed" : "Succeeded";
      // A sidecar would run on: it has nobody left to serve.
      void this.#tearDown(SIDECAR_GRACE_MS);
    }
    this.#options.onChange();
  }

  async #tearDown(graceMs: number): Promise<void> {
    const { log, namespace, name } = this.#options;
    try {
      await endAll(this.#running, graceMs);
      await this.#sandbox?.destroy();
    } catch (error) {
      // What is left of it ends with the node.
      log.warn("a pod could not be cleared away", { pod: `${namespace}/${name}`, reason: messageOf(error) });
    }
  }

  #obstruct(reason: string, isHopeless: boolean): void {
    this.#obstacle = { reason, isHopeless };
    this.#options.onChange();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function stateOf(
  phase: PodState["phase"],
  running: readonly LaunchedContainer[],
  obstacle: Obstacle,
  isTerminating: boolean,
): PodState {
  const states = running.map(({ name, container }) => ({ name, ...container.state() }));
  const containers = states.map(({ name, isReady, restarts }) => ({ name, isReady, restarts }));
  const isReady = phase === "Running" && !isTerminating && states.every((state) => state.isReady);
  const unready = states
    .filter((state) => !state.isReady && state.reason !== "")
    .sort((a, b) => Number(a.reason === STARTING) - Number(b.reason === STARTING))[0];
  const reason = unready === undefined ? obstacle.reason : `container ${unready.name}: ${unready.reason}`;
  const isHopeless = !isReady && (obstacle.isHopeless || states.some((state) => state.isHopeless));
  return {
    phase,
    isReady,
    isTerminating,
    reason: isReady ? "" : isTerminating ? "terminating" : reason,
    isHopeless,
    containers,
  };
}
