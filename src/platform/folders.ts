import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Makes `dir`, with `mode`, and what is missing above it; one that is there stays as it is. Throws the system's error. Node's
 * own `recursive` never returns where the system takes no new entries but does not say so, as below /proc.
 */
export function makeFolder(dir: string, mode: number): void {
  try {
    mkdirSync(dir, { mode });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST" && statSync(dir).isDirectory()) return;
    if (code !== "ENOENT" || dirname(dir) === dir) throw error;
    makeFolder(dirname(dir), mode);
    mkdirSync(dir, { mode });
  }
}
