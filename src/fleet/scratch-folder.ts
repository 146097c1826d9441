import { accessSync, constants, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

/** Of Linux: files in memory. */
const MEMORY = "/dev/shm";

/**
 * A new folder for a run, in memory where there is such a place: to rename a file over another takes a disk up to some
 * milliseconds, which would count as the server's. `TMPDIR` goes before it. Whoever asks removes it.
 */
export function scratchFolder(prefix: string): string {
  return mkdtempSync(join(process.env["TMPDIR"] === undefined && isWritable(MEMORY) ? MEMORY : tmpdir(), prefix));
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
