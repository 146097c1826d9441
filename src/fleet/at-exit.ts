/** What must not outlive this process: however it ends, short of being killed without warning. */
import type { ChildProcess } from "node:child_process";
import { rmSync } from "node:fs";
import process from "node:process";

/** A child that was killed an instant ago may still write. */
const AGAIN = { maxRetries: 10, retryDelay: 50 } as const;

/** Of the process, which ends once: Node takes more than ten listeners for a leak. */
const children = new Set<ChildProcess>();
const folders = new Set<string>();

/** Has the folder removed when this process ends. Gives what removes it before that. */
export function removedAtExit(folder: string): () => void {
  folders.add(folder);
  listen();
  return () => remove(folder);
}

/** Has the child killed when this process ends, before any folder is removed. */
export function killedAtExit(child: ChildProcess): void {
  children.add(child);
  listen();
  child.once("exit", () => {
    children.delete(child);
    listen();
  });
}

/** While there is something to be ended. */
function listen(): void {
  process.off("exit", endAll);
  if (children.size + folders.size > 0) process.once("exit", endAll);
}

function remove(folder: string): void {
  folders.delete(folder);
  listen();
  rmSync(folder, { recursive: true, force: true, ...AGAIN });
}

function endAll(): void {
  for (const child of children) child.kill("SIGKILL");
  const failures: unknown[] = [];
  for (const folder of folders) {
    try {
      remove(folder);
    } catch (error) {
      failures.push(error);
    }
  }
  // One that cannot be removed must not keep the others.
  if (failures.length > 0) throw failures[0];
}
