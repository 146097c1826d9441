import { execFileSync } from "node:child_process";
import { cpus, release, totalmem, type } from "node:os";

const CHECKOUT = new URL("..", import.meta.url);
/** What a number depends on. */
const MEASURED = ["src", "workers", "bench", "package.json", ":(exclude)*.test.ts"];

/** Where a run happened, without anything that names the machine or its user. */
export interface RunContext {
  /** At the beginning. */
  readonly commit: string;
  /** What is measured was not what that commit has, at the beginning or at the end. */
  readonly isDirty: boolean;
  /** ISO 8601, UTC; of the end. */
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

/** To be called when a run begins; what it gives, at the end of each part of it: who commits meanwhile changes what is measured. */
export function beginRun(
  args: readonly string[],
  runtime: RunContext["runtime"],
  checkout = CHECKOUT,
): () => RunContext {
  const commit = git(checkout, "rev-parse", "HEAD");
  const wasDirty = !isUnchangedSince(commit, checkout);
  const processors = cpus();
  const machine = {
    system: type(),
    kernel: release().replace(/[-+].*$/, ""),
    cpus: processors.length,
    model: processors[0]?.model ?? "unknown",
    memoryMiB: Math.round(totalmem() / 2 ** 20),
  };
  const command = ["npm", "run", "bench", ...(args.length === 0 ? [] : ["--", ...args])];
  return () => {
    const isDirty = wasDirty || !isUnchangedSince(commit, checkout);
    return { commit, isDirty, date: new Date().toISOString(), machine, runtime, command };
  };
}

/** Whether the control plane and what measures it are now what they were at a commit. */
export function isUnchangedSince(commit: string, checkout = CHECKOUT): boolean {
  try {
    execFileSync("git", ["diff", "--quiet", commit, "--", ...MEASURED], { cwd: checkout, stdio: "ignore" });
    return true;
  } catch {
    // Changed, or a commit that this clone does not have.
    return false;
  }
}

function git(checkout: URL, ...args: readonly string[]): string {
  try {
    return execFileSync("git", [...args], {
      cwd: checkout,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    // An unpacked archive has no history; the result says so.
    return "unknown";
  }
}
