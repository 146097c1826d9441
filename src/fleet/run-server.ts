import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import type { Clock } from "../lib/mod.ts";
import { killsPipedChildren } from "../platform/mod.ts";
import { killedAtExit } from "./at-exit.ts";

const START_MS = 120_000;
const STOP_MS = 20_000;
const LOOK_MS = 20;
/** Of what it writes, as much as explains an end. */
const WORDS_MAX = 4000;
/** Whether it ends with this process, however that ends. */
const ENDS_WITH_FLEET = killsPipedChildren;

/** A control plane that was started for a scenario. */
export interface ServerProcess {
  readonly xds: string;
  readonly admin: string;
  readonly pid: number;
  readonly isRunning: boolean;
  /** From the start of the process to its ready file. */
  readonly readyMs: number;
  /** Kills it without warning, if it runs, and starts it again at the same addresses; ms until it was ready again. */
  restart(): Promise<number>;
  /** Asks it to end, as whoever replaces it does; ms until it had ended. */
  drain(): Promise<number>;
  stop(): Promise<void>;
}

export interface ServerOptions {
  /** What is run: `[program, ...arguments]` up to the command `serve`. */
  readonly command: readonly string[];
  readonly folder: string;
  /** No other control plane's. */
  readonly stateDir: string;
  readonly caDir: string;
  readonly flags: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
}

/** The control plane ended, or was not ready in time; the message has its own words. */
export class ServerStartError extends Error {
  override readonly name = "ServerStartError";
}

/** Starts `osm serve` without pods on free ports. Rejects with {@link ServerStartError}. */
export async function startServer(options: ServerOptions): Promise<ServerProcess> {
  const { clock } = options;
  let child = await launch(options, { xds: "127.0.0.1:0", admin: "127.0.0.1:0" });
  const { xds, admin, readyMs } = child;
  let last: Promise<unknown> = Promise.resolve();
  // Else an end that comes while it starts again would leave the new process.
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = last.then(work, work);
    last = done;
    return done;
  };
  return {
    xds,
    admin,
    readyMs,
    get pid() {
      return child.process.pid ?? 0;
    },
    get isRunning() {
      return isRunning(child.process);
    },
    restart: () =>
      inTurn(async () => {
        await end(child.process, "SIGKILL", clock);
        child = await launch(options, { xds, admin });
        return child.readyMs;
      }),
    drain: () =>
      inTurn(async () => {
        const startedMs = clock.monotonic();
        await end(child.process, "SIGTERM", clock);
        return clock.monotonic() - startedMs;
      }),
    stop: () => inTurn(() => end(child.process, "SIGTERM", clock)),
  };
}

interface Launched {
  readonly process: ChildProcess;
  readonly xds: string;
  readonly admin: string;
  readonly readyMs: number;
}

async function launch(options: ServerOptions, at: { readonly xds: string; readonly admin: string }): Promise<Launched> {
  const { clock, command, folder, stateDir, caDir } = options;
  const readyFile = join(stateDir, "ready.json");
  rmSync(readyFile, { force: true });
  const [program = process.execPath, ...before] = command;
  const places = ["--state-dir", join(stateDir, "state"), "--ca-dir", caDir, "--ready-file", readyFile];
  const addresses = ["--xds", at.xds, "--admin", at.admin];
  const startedMs = clock.monotonic();
  const flags = [...addresses, ...places, ...(ENDS_WITH_FLEET ? ["--end-with-stdin"] : []), ...options.flags];
  const child = spawn(program, [...before, "serve", folder, "--no-pods", ...flags], {
    stdio: [ENDS_WITH_FLEET ? "pipe" : "ignore", "ignore", "pipe"],
    env: options.env as NodeJS.ProcessEnv,
  });
  killedAtExit(child);
  let words = "";
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    words = (words + chunk).slice(-WORDS_MAX);
  });
  const ended = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code, signal) => resolve(`it ended with ${signal ?? `code ${code}`}`));
  });
  for (;;) {
    const ready = readReady(readyFile);
    if (ready !== undefined) return { process: child, ...ready, readyMs: clock.monotonic() - startedMs };
    const reason = await Promise.race([
      ended,
      new Promise<undefined>((resolve) => clock.after(LOOK_MS, () => resolve(undefined))),
    ]);
    const isLate = clock.monotonic() - startedMs > START_MS;
    if (reason === undefined && !isLate) continue;
    child.kill("SIGKILL");
    throw new ServerStartError(
      `The control plane did not start (${reason ?? `not ready after ${START_MS} ms`}): ${words.trim()}`,
    );
  }
}

function readReady(file: string): { readonly xds: string; readonly admin: string } | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as { xds: string; admin: string };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function isRunning({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode === null && signalCode === null;
}

async function end(child: ChildProcess, signal: "SIGTERM" | "SIGKILL", clock: Clock): Promise<void> {
  if (!isRunning(child)) return;
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill(signal);
  const cancel = clock.after(STOP_MS, () => child.kill("SIGKILL"));
  await gone;
  cancel();
}
