import type { Container } from "../kube/objects.ts";
import type { Clock } from "../lib/mod.ts";
import { backoff } from "../lib/mod.ts";
import { type ContainerHealth, watchHealth } from "./container-health.ts";
import type { ContainerLog } from "./container-log.ts";
import type { ContainerProcess, ProcessUser } from "./container-process.ts";
import { PROGRAM_NOT_EXECUTABLE, PROGRAM_NOT_FOUND, startProcess } from "./container-process.ts";
import { carryOutProbe } from "./probe.ts";

export interface ContainerOptions {
  readonly container: Container;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly user: ProcessUser;
  readonly sandboxPid: number;
  readonly address: string;
  readonly log: ContainerLog;
  readonly clock: Clock;
  readonly random: () => number;
  readonly restartPolicy: "Always" | "OnFailure" | "Never";
  /** How long a program that a probe has given up may take to end. */
  readonly graceMs: number;
  /** Asked every now and then after a start until it says yes; the container is not ready before. */
  readonly isServing?: () => boolean;
  readonly onChange: () => void;
}

export interface ContainerState {
  readonly phase: "running" | "waiting" | "completed" | "failed";
  readonly isReady: boolean;
  readonly restarts: number;
  /** Why it is not ready, as far as that is known; empty when it is. */
  readonly reason: string;
  /** Nothing suggests that it becomes ready if nobody changes anything. */
  readonly isHopeless: boolean;
}

/** One container of a pod: its program, started again after it ended, and its probes. */
export interface RunningContainer {
  state(): ContainerState;
  /** Ends it for good: SIGTERM, and SIGKILL after `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

/** The reason of a container of which nothing else is known yet. */
export const STARTING = "starting";

const RESTART_BASE_MS = 500;
const RESTART_MAX_MS = 30_000;
/** A program that ran this long is not in a loop of crashes. */
const STABLE_MS = 60_000;
const SERVING_CHECK_MS = 25;
const CRASHES_HOPELESS = 3;
const KILL_AGAIN_MS = 100;

export function runContainer(options: ContainerOptions): RunningContainer {
  const { clock, container, log } = options;
  const delays = backoff({ baseMs: RESTART_BASE_MS, maxMs: RESTART_MAX_MS, random: options.random });
  let process: ContainerProcess | undefined;
  let phase: ContainerState["phase"] = "waiting";
  let reason: string = STARTING;
  let restarts = 0;
  let crashes = 0;
  let isNotFound = false;
  let isStopping = false;
  let health: ContainerHealth | undefined;
  let cancelTimer = () => {};

  const state = (): ContainerState => {
    const isReady = phase === "running" && health?.isReady() === true;
    const isHopeless = phase === "failed" || isNotFound || crashes >= CRASHES_HOPELESS;
    return { phase, isReady, restarts, reason: isReady || phase === "completed" ? "" : reason, isHopeless };
  };
  const stopHealth = () => {
    cancelTimer();
    health?.stop();
    health = undefined;
  };
  const awaitServing = () => {
    if (options.isServing?.() === false) {
      reason = "the sidecar has no configuration yet";
      cancelTimer = clock.after(SERVING_CHECK_MS, awaitServing);
      return;
    }
    reason = STARTING;
    const target = { address: options.address, container, run: runInContainer(options) };
    health = watchHealth({
      container,
      clock,
      carryOut: (probe) => carryOutProbe(probe, target),
      onReadiness(why) {
        reason = why;
        options.onChange();
      },
      onUnhealthy(why) {
        reason = why;
        log.note(`osm: ${why}; restarting`);
        if (process !== undefined) void endProcess(process, clock, options.graceMs);
      },
    });
    options.onChange();
  };
  const start = () => {
    const startedMs = clock.monotonic();
    log.rotate();
    reason = STARTING;
    phase = "running";
    process = startProcess(options, log.descriptor);
    void process.ended.then(({ exitCode }) => end(exitCode, clock.monotonic() - startedMs));
    awaitServing();
    options.onChange();
  };
  const end = (exitCode: number, ranMs: number) => {
    stopHealth();
    process = undefined;
    if (ranMs >= STABLE_MS) {
      delays.reset();
      crashes = 0;
    }
    const isFailure = exitCode !== 0;
    isNotFound = ranMs < 2000 && (exitCode === PROGRAM_NOT_FOUND || exitCode === PROGRAM_NOT_EXECUTABLE);
    if (!/^(liveness|startup) probe failed/.test(reason))
      reason = `${describeArgv(options.argv)} ended with exit code ${exitCode}`;
    const isOver =
      isStopping || options.restartPolicy === "Never" || (options.restartPolicy === "OnFailure" && !isFailure);
    crashes = isOver ? 0 : crashes + 1;
    if (isOver) {
      phase = isFailure && !isStopping ? "failed" : "completed";
    } else {
      phase = "waiting";
      restarts += 1;
      cancelTimer = clock.after(delays.next(), start);
    }
    options.onChange();
  };
  const cancelRotation = repeat(clock, 5000, () => log.rotate());
  start();
  return {
    state,
    async stop(graceMs) {
      isStopping = true;
      stopHealth();
      cancelRotation();
      if (process !== undefined) await endProcess(process, clock, graceMs);
      log.close();
    },
  };
}

function describeArgv(argv: readonly string[]): string {
  return argv.join(" ").slice(0, 120);
}

/** SIGTERM, then SIGKILL after `graceMs`, again and again: a program that is just being started has no process id yet. */
async function endProcess(process: ContainerProcess, clock: Clock, graceMs: number): Promise<void> {
  process.signal(graceMs > 0 ? "SIGTERM" : "SIGKILL");
  let cancel = clock.after(graceMs, function kill() {
    process.signal("SIGKILL");
    cancel = clock.after(KILL_AGAIN_MS, kill);
  });
  await process.ended;
  cancel();
}

function runInContainer(options: ContainerOptions) {
  return async (argv: readonly string[], timeoutMs: number): Promise<number | undefined> => {
    const process = startProcess({ ...options, argv }, options.log.descriptor);
    let isLate = false;
    const cancel = options.clock.after(timeoutMs, () => {
      isLate = true;
      process.signal("SIGKILL");
    });
    const { exitCode } = await process.ended;
    cancel();
    return isLate ? undefined : exitCode;
  };
}

function repeat(clock: Clock, periodMs: number, action: () => void): () => void {
  let cancel = clock.after(periodMs, again);
  function again() {
    action();
    cancel = clock.after(periodMs, again);
  }
  return () => cancel();
}
