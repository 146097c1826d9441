/** The real control plane as a process, seen from outside: its command, its ready file, its addresses and its sockets. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, watch } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { killedAtExit, removedAtExit } from "../src/fleet/at-exit.ts";
import { heapFlags } from "../src/platform/process-memory.ts";

export interface ControlPlaneProcess {
  readonly xds: string;
  /** `HOST:PORT` of the admin address. */
  readonly admin: string;
  readonly pid: number;
  /** From the start of the process until its ready file was there. */
  readonly readyMs: number;
  /** Value of a metric: the sum of its series. */
  metric(name: string): Promise<number>;
  /** The end of what it wrote to standard error. */
  words(): string;
  stop(): Promise<void>;
}

const START_MS = 60_000;
const WORDS_MAX = 20_000;
/** Whatever `--workers` says: `osm serve --no-pods` gives itself the heap of a control plane with threads. */
const THREADS = 1;

export interface ControlPlaneOptions {
  readonly workers: number;
  /** Where the CA lies; one is made in the state dir when absent. */
  readonly caDir?: string;
  /** Further flags of `osm serve`. */
  readonly flags?: readonly string[];
  /** Further flags of Node. */
  readonly nodeFlags?: readonly string[];
  /** What its environment has beside this process's. */
  readonly env?: Readonly<Record<string, string>>;
  /** The checkout whose control plane is started; this one when absent. */
  readonly checkout?: URL;
}

/** Serves a folder without pods, on free ports, with a state dir that is gone afterwards. */
export async function startControlPlane(folder: string, options: ControlPlaneOptions): Promise<ControlPlaneProcess> {
  const state = mkdtempSync(join(tmpdir(), "osm-bench-"));
  const remove = removedAtExit(state);
  const readyFile = join(state, "ready.json");
  const cli = fileURLToPath(new URL("src/main/cli.ts", options.checkout ?? new URL("..", import.meta.url)));
  const flags = ["--state-dir", join(state, "s"), "--ready-file", readyFile, "--workers", String(options.workers)];
  if (options.caDir !== undefined) flags.push("--ca-dir", options.caDir);
  // Another checkout's may not know the flag.
  if (options.checkout === undefined) flags.push("--end-with-stdin");
  flags.push(...(options.flags ?? []));
  const addresses = ["--xds", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
  const startedAt = performance.now();
  const child = spawn(
    process.execPath,
    [...nodeFlagsOf(options.nodeFlags ?? []), cli, "serve", folder, "--no-pods", ...addresses, ...flags],
    {
      // It ends with this process, however that ends.
      stdio: ["pipe", "ignore", "pipe"],
      env: { ...process.env, ...options.env },
    },
  );
  killedAtExit(child);
  let words = "";
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    words = (words + chunk).slice(-WORDS_MAX);
  });
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await gone;
    }
    remove();
  };
  try {
    await appearance(readyFile, state, child);
    const readyMs = performance.now() - startedAt;
    const ready = JSON.parse(readFileSync(readyFile, "utf8")) as { xds: string; admin: string };
    return { ...ready, pid: child.pid ?? 0, readyMs, stop, words: () => words, ...asking(ready.admin) };
  } catch (error) {
    await stop();
    throw new Error(`the control plane did not start: ${words}`, { cause: error });
  }
}

/** Under a debugger a control plane does not give itself the heap that it has elsewhere: what is looked into would be another process. */
export function nodeFlagsOf(given: readonly string[]): readonly string[] {
  const isLookedInto = given.some((flag) => flag.startsWith("--inspect"));
  return isLookedInto ? [...heapFlags(THREADS), ...given] : given;
}

/** Resolves when the file is there. */
function appearance(file: string, folder: string, child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    const watcher = watch(folder, (_event, name) => {
      if (name !== null && file.endsWith(`/${name}`)) settle(resolve);
    });
    const settle = (action: () => void) => {
      clearTimeout(timer);
      watcher.close();
      child.off("exit", leave);
      action();
    };
    const leave = (code: number | null) => settle(() => reject(new Error(`it ended with code ${code}`)));
    const timer = setTimeout(() => settle(() => reject(new Error(`no ready file in ${START_MS} ms`))), START_MS);
    child.once("exit", leave);
  });
}

function asking(admin: string): Pick<ControlPlaneProcess, "metric"> {
  return {
    async metric(name) {
      const lines = (await (await fetch(`http://${admin}/metrics`)).text()).split("\n");
      const own = lines.filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
      return own.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
    },
  };
}
