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

/** Starts a pod; it is kept running until it is stopped or, by its restart policy, has ended. */
export function startPod(options: PodOptions): RunningPod {
  const stopping = new AbortController();
  const { signal } = stopping;
  const delays = backoff({ baseMs: RESTART_BASE_MS, maxMs: RESTART_MAX_MS, random: options.random });
  let sandbox: Sandbox | undefined;
  let prepared: PreparedPod | undefined;
  let running: LaunchedContainer[] = [];
  let phase: PodState["phase"] = "Pending";
  let obstacle = { reason: STARTING as string, isHopeless: false };
  let attempts = 0;

  const obstruct = (reason: string, isHopeless: boolean) => {
    obstacle = { reason, isHopeless };
    options.onChange();
  };
  const logPath = (container: string) => join(options.logsDir, options.namespace, options.name, `${container}.log`);

  /** What keeps a pod from running may be mended in another object: a namespace, an image's entry. */
  const obstaclesGone = async () => {
    for (let why = options.obstacle(); why !== undefined && !signal.aborted; why = options.obstacle()) {
      if (why !== obstacle.reason) obstruct(why, true);
      await pause(options.clock, OBSTACLE_CHECK_MS, signal);
    }
  };

  /** One life of the pod's namespaces. */
  const live = async (): Promise<"over" | "again"> => {
    await obstaclesGone();
    if (signal.aborted) return "over";
    const preparing = options.prepare(signal);
    // Awaited below; a failure of the sandbox must not leave it unheard.
    preparing.catch(() => undefined);
    sandbox = await options.createSandbox();
    obstacle = { reason: "waits for the control plane to give it a sidecar", isHopeless: false };
    const pod = await preparing;
    if (signal.aborted) return "over";
    prepared = pod;
    await sandbox.putEnvoyFiles(pod.envoyFiles, ENVOY_UID);
    const launch = { ...options, pod, sandbox, logPath, onChange: changed };
    for (const container of pod.pod.spec.initContainers ?? []) {
      running.push(launchContainer(launch, container, true));
      if (!(await initEnd(options.clock, signal, () => running.at(-1)?.container.state()))) {
        if (signal.aborted) return "over";
        phase = "Failed";
        obstruct(`init container ${container.name}: ${running.at(-1)?.container.state().reason}`, true);
        return "over";
      }
    }
    if (signal.aborted) return "over";
    await endAll(running, 0);
    running = pod.pod.spec.containers.map((container) => launchContainer(launch, container, false));
    phase = "Running";
    attempts = 0;
    obstacle = { reason: "", isHopeless: false };
    options.onChange();
    await sandbox.ended;
    return signal.aborted || phase !== "Running" ? "over" : "again";
  };

  const keepAlive = async () => {
    while (!signal.aborted) {
      let reason = "its namespaces were killed";
      try {
        if ((await live()) === "over") return;
      } catch (error) {
        if (signal.aborted) return;
        reason = error instanceof Error ? error.message : String(error);
        options.log.warn("a pod could not be started", { pod: `${options.namespace}/${options.name}`, reason });
      }
      attempts += 1;
      phase = "Pending";
      obstruct(`${reason}; starting again`, attempts >= 3);
      await endAll(running, 0);
      running = [];
      await sandbox?.destroy();
      await pause(options.clock, delays.next(), signal);
    }
  };

  const changed = () => {
    const apps = running.filter(({ role }) => role === "app").map(({ container }) => container.state().phase);
    const isOver = phase === "Running" && apps.every((each) => each === "completed" || each === "failed");
    if (isOver && !signal.aborted) {
      phase = apps.includes("failed") ? "Failed" : "Succeeded";
      // A sidecar would run on: it has nobody left to serve.
      void endAll(running, SIDECAR_GRACE_MS).then(() => sandbox?.destroy());
    }
    options.onChange();
  };

  const ended = keepAlive();
  return {
    state: () => stateOf(phase, running, obstacle, signal.aborted),
    logPath,
    entry(name) {
      const found = running.find((each) => each.name === name);
      if (sandbox === undefined || found === undefined || phase !== "Running") return undefined;
      return { sandboxPid: sandbox.pid, user: found.command.user, env: found.env };
    },
    async stop(drainMs, graceMs) {
      stopping.abort();
      options.onChange();
      const grace = graceMs ?? graceMsOf(prepared?.pod);
      if (drainMs > 0 && phase === "Running") await pause(options.clock, drainMs);
      await endAll(
        running.filter(({ role }) => role === "app"),
        grace,
      );
      await endAll(running, Math.min(grace, SIDECAR_GRACE_MS));
      await sandbox?.destroy();
      await ended;
      await sandbox?.destroy();
    },
  };
}

function stateOf(
  phase: PodState["phase"],
  running: readonly LaunchedContainer[],
  obstacle: { readonly reason: string; readonly isHopeless: boolean },
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
