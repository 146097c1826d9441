/** What must not outlive this process: however it ends, short of being killed without warning. */
import type { ChildProcess } from "node:child_process";
import { rmSync } from "node:fs";
import process from "node:process";

/** A child that was killed an instant ago may still write. */
const AGAIN = { maxRetries: 10, retryDelay: 50 } as const;

/** Has the folder removed when this process ends. Gives what removes it before that. */
export function removedAtExit(folder: string): () => void {
  const remove = () => {
    process.off("exit", remove);
    rmSync(folder, { recursive: true, force: true, ...AGAIN });
  };
  process.once("exit", remove);
  return remove;
}

/** Has the child killed when this process ends, before any folder is removed. */
export function killedAtExit(child: ChildProcess): void {
  const kill = () => void child.kill("SIGKILL");
  process.prependOnceListener("exit", kill);
  child.once("exit", () => process.off("exit", kill));
}
