/** Runs `osm` as a person does: as a program, over a folder, without pods. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, watch, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const CLI = fileURLToPath(new URL("../../src/main/cli.ts", import.meta.url));
/** No more than a bound on a command that hangs: on a busy machine one that is refused takes seconds. */
const RUN_MS = 60_000;

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program that runs. */
export interface Running {
  readonly output: () => string;
  readonly ended: Promise<Ended>;
  readonly process: ChildProcess;
}

function start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
  const stdin = args.includes("--end-with-stdin") ? "pipe" : "ignore";
  const child = spawn(process.execPath, [CLI, ...args], {
    stdio: [stdin, "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  const text = { stdout: "", stderr: "" };
  child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
    text.stdout += chunk;
  });
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    text.stderr += chunk;
  });
  const ended = once(child, "close").then(([status]) => ({ status: status as number | null, ...text }));
  return { process: child, ended, output: () => text.stdout + text.stderr };
}

/** Runs a command to its end, which must come within {@link RUN_MS}, with its standard input closed. */
export async function osm(...args: readonly string[]): Promise<Ended> {
  const running = start(args);
  running.process.stdin?.end();
  const timer = setTimeout(() => running.process.kill("SIGKILL"), RUN_MS);
  const ended = await running.ended;
  clearTimeout(timer);
  return ended;
}

/** A folder for one test file, gone after {@link Workshop.close} like all that still runs. */
export interface Workshop {
  readonly root: string;
  /** Where what is served keeps its temporary files; nobody else's are there. */
  readonly temporary: string;
  path(name: string): string;
  put(name: string, content: string): string;
  /** `osm serve` over `dir`, once its ready file is there. */
  serve(dir: string, ...flags: readonly string[]): Promise<Serving>;
  close(): Promise<void>;
}

export interface Serving extends Running {
  readonly xds: string;
  readonly admin: string;
  readonly readyFile: string;
  /** Asks the admin address. */
  get(path: string): Promise<{ readonly status: number; readonly body: string }>;
  /** Ends it and waits for that. */
  stop(signal: "SIGTERM" | "SIGINT" | "SIGKILL"): Promise<Ended>;
}

export function workshop(): Workshop {
  const root = mkdtempSync(join(tmpdir(), "osm-serve-"));
  const opened: Running[] = [];
  const path = (name: string) => join(root, name);
  const temporary = path("tmp");
  mkdirSync(temporary);
  let count = 0;
  return {
    root,
    temporary,
    path,
    put(name, content) {
      writeFileSync(path(name), content);
      return path(name);
    },
    async serve(dir, ...flags) {
      count += 1;
      const readyFile = path(`ready-${count}.json`);
      const ports = ["--xds", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--ready-file", readyFile];
      const running = start(["serve", dir, "--no-pods", ...ports, ...flags], { TMPDIR: temporary });
      opened.push(running);
      const { xds, admin } = await readyContent(root, readyFile, running);
      return {
        ...running,
        xds,
        admin,
        readyFile,
        async get(asked) {
          const response = await fetch(`http://${admin}${asked}`);
          return { status: response.status, body: await response.text() };
        },
        async stop(signal) {
          running.process.kill(signal);
          return await running.ended;
        },
      };
    },
    async close() {
      for (const { process: child } of opened) child.kill("SIGKILL");
      await Promise.all(opened.map(({ ended }) => ended));
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** Waits until the ready file was renamed into place. */
async function readyContent(root: string, file: string, running: Running): Promise<{ xds: string; admin: string }> {
  const watcher = watch(root);
  try {
    for (;;) {
      const changed = once(watcher, "change").then(() => undefined);
      try {
        return JSON.parse(readFileSync(file, "utf8")) as { xds: string; admin: string };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      }
      const over = await Promise.race([changed, running.ended]);
      if (over !== undefined) throw new Error(`osm serve ended: ${over.stdout}${over.stderr}`);
    }
  } finally {
    watcher.close();
  }
}
