import { execFileSync } from "node:child_process";
import { cpus, release, totalmem, type } from "node:os";
import process from "node:process";

/** Where a run happened, without anything that names the machine or its user. */
export interface RunContext {
  readonly commit: string;
  /** The checkout had changes that were not committed. */
  readonly isDirty: boolean;
  /** ISO 8601, UTC. */
  readonly date: string;
  readonly machine: {
    readonly system: string;
    readonly kernel: string;
    readonly cpus: number;
    readonly model: string;
    readonly memoryMiB: number;
  };
  readonly runtime: { readonly name: string; readonly version: string };
  readonly command: readonly string[];
}

export function runContext(args: readonly string[]): RunContext {
  const processors = cpus();
  return {
    commit: git("rev-parse", "HEAD"),
    isDirty:
      git("status", "--porcelain", "--untracked-files=no", "--", "src", "workers", "bench", "package.json") !== "",
    date: new Date().toISOString(),
    machine: {
      system: type(),
      kernel: release().replace(/[-+].*$/, ""),
      cpus: processors.length,
      model: processors[0]?.model ?? "unknown",
      memoryMiB: Math.round(totalmem() / 2 ** 20),
    },
    runtime: runtime(),
    command: ["npm", "run", "bench", ...(args.length === 0 ? [] : ["--", ...args])],
  };
}

function runtime(): RunContext["runtime"] {
  const { deno, node } = process.versions;
  return deno === undefined ? { name: "node", version: node } : { name: "deno", version: deno };
}

function git(...args: readonly string[]): string {
  try {
    return execFileSync("git", [...args], {
      cwd: new URL("..", import.meta.url),
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    // An unpacked archive has no history; the result says so.
    return "unknown";
  }
}
