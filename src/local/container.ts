import type { Container } from "../kube/objects.ts";
import type { Clock } from "../lib/mod.ts";
import { type Backoff, backoff } from "../lib/mod.ts";
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
const NOT_STARTED: readonly number[] = [PROGRAM_NOT_FOUND, PROGRAM_NOT_EXECUTABLE];
const KILL_AGAIN_MS = 100;
const LOG_CHECK_MS = 5000;
/** An end later than this is not the end of a program that could not be started. */
const NOT_FOUND_MAX_MS = 2000;

export function runContainer(options: ContainerOptions): RunningContainer {
  return new ContainerRun(options);
}

class ContainerRun implements RunningContainer {
  readonly #options: ContainerOptions;
  readonly #delays: Backoff;
  readonly #cancelRotation: () => void;
  #process: ContainerProcess | undefined;
  #health: ContainerHealth | undefined;
  #phase: ContainerState["phase"] = "waiting";
  #reason: string = STARTING;
  /** Why a probe has given up the program that runs. */
  #verdict: string | undefined;
  #restarts = 0;
  #crashes = 0;
  #isNotFound = false;
  #isStopping = false;
  #cancelTimer = () => {};

  constructor(options: ContainerOptions) {
    this.#options = options;
    this.#delays = backoff({ baseMs: RESTART_BASE_MS, maxMs: RESTART_MAX_MS, random: options.random });
    this.#cancelRotation = repeat(options.clock, LOG_CHECK_MS, () => options.log.rotate());
    this.#start();
  }

  state(): ContainerState {
    const isReady = this.#phase === "running" && this.#health?.isReady() === true;
    return {
      phase: this.#phase,
      isReady,
      restarts: this.#restarts,
      reason: isReady || this.#phase === "completed" ? "" : this.#reason,
      isHopeless: this.#phase === "failed" || this.#isNotFound || this.#crashes >= CRASHES_HOPELESS,
    };
  }

  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
    this.#stopHealth();
    this.#cancelRotation();
    if (this.#process !== undefined) await endProcess(this.#process, this.#options.clock, graceMs);
    this.#options.log.close();
  }

  #start(): void {
    const { clock, log, onChange } = this.#options;
    const startedMs = clock.monotonic();
    log.rotate();
    this.#reason = STARTING;
    this.#verdict = undefined;
    this.#phase = "running";
    this.#process = startProcess(this.#options, log.descriptor);
    void this.#process.ended.then(({ exitCode }) => this.#end(exitCode, clock.monotonic() - startedMs));
    this.#awaitServing();
    onChange();
  }

  #awaitServing(): void {
    const { clock, isServing } = this.#options;
    if (isServing?.() === false) {
      this.#reason = "the sidecar has no configuration yet";
      this.#cancelTimer = clock.after(SERVING_CHECK_MS, () => this.#awaitServing());
      return;
    }
    this.#reason = STARTING;
    this.#watchHealth();
    this.#options.onChange();
  }

  #watchHealth(): void {
    const { address, container, clock, onChange } = this.#options;
    const target = { address, container, run: runInContainer(this.#options) };
    this.#health = watchHealth({
      container,
      clock,
      carryOut: (probe) => carryOutProbe(probe, target),
      onReadiness: (why) => {
        this.#reason = why;
        onChange();
      },
      onUnhealthy: (why) => this.#giveUp(why),
    });
  }

  /** Ends a program that a probe has found unhealthy; its end starts it again. */
  #giveUp(why: string): void {
    const { log, clock, graceMs } = this.#options;
    this.#reason = why;
    this.#verdict = why;
    log.note(`osm: ${why}; restarting`);
    if (this.#process !== undefined) void endProcess(this.#process, clock, graceMs);
  }

  #end(exitCode: number, ranMs: number): void {
    const { argv, restartPolicy, clock, onChange } = this.#options;
    this.#stopHealth();
    this.#process = undefined;
    if (ranMs >= STABLE_MS) {
      this.#delays.reset();
      this.#crashes = 0;
    }
    const isFailure = exitCode !== 0;
    this.#isNotFound = ranMs < NOT_FOUND_MAX_MS && NOT_STARTED.includes(exitCode);
    this.#reason = this.#verdict ?? `${describeArgv(argv)} ended with exit code ${exitCode}`;
    const isOver = this.#isStopping || restartPolicy === "Never" || (restartPolicy === "OnFailure" && !isFailure);
    if (isOver) {
      this.#crashes = 0;
      this.#phase = isFailure && !this.#isStopping ? "failed" : "completed";
    } else {
      this.#crashes += 1;
      this.#restarts += 1;
      this.#phase = "waiting";
      this.#cancelTimer = clock.after(this.#delays.next(), () => this.#start());
    }
    onChange();
  }

  #stopHealth(): void {
    this.#cancelTimer();
    this.#health?.stop();
    this.#health = undefined;
  }
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
