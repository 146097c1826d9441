import { execFileSync } from "node:child_process";
import { cpus, release, totalmem, type } from "node:os";

const CHECKOUT = new URL("..", import.meta.url);
/** What a number depends on. */
const MEASURED = ["src", "workers", "bench", "package.json", ":(exclude)*.test.ts"];

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
  /** Of the control plane. */
  readonly runtime: { readonly name: string; readonly version: string };
  readonly command: readonly string[];
}

export function runContext(args: readonly string[], runtime: RunContext["runtime"]): RunContext {
  const processors = cpus();
  return {
    commit: git("rev-parse", "HEAD"),
    isDirty: git("status", "--porcelain", "--untracked-files=no", "--", ...MEASURED) !== "",
    date: new Date().toISOString(),
    machine: {
      system: type(),
      kernel: release().replace(/[-+].*$/, ""),
      cpus: processors.length,
      model: processors[0]?.model ?? "unknown",
      memoryMiB: Math.round(totalmem() / 2 ** 20),
    },
    runtime,
    command: ["npm", "run", "bench", ...(args.length === 0 ? [] : ["--", ...args])],
  };
}

/** Whether the control plane and what measures it are now what they were at a commit. */
export function isUnchangedSince(commit: string): boolean {
  try {
    execFileSync("git", ["diff", "--quiet", commit, "--", ...MEASURED], { cwd: CHECKOUT, stdio: "ignore" });
    return true;
  } catch {
    // Changed, or a commit that this clone does not have.
    return false;
  }
}

function git(...args: readonly string[]): string {
  try {
    return execFileSync("git", [...args], {
      cwd: CHECKOUT,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    // An unpacked archive has no history; the result says so.
    return "unknown";
  }
}
