import { accessSync, constants, mkdtempSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

/** Of Linux: files in memory. */
const MEMORY = "/dev/shm";
/** Free bytes for any world and what its control plane keeps of it. A container's are 64 MiB unless more were asked for. */
const ROOM_BYTES = 512 * 2 ** 20;

/**
 * A new folder for a run, in memory where there is room: to rename a file over another takes a disk up to some
 * milliseconds, which would count as the server's. `TMPDIR` goes before it. Whoever asks removes it.
 */
export function scratchFolder(prefix: string): string {
  return mkdtempSync(join(process.env["TMPDIR"] === undefined && hasRoom(MEMORY) ? MEMORY : tmpdir(), prefix));
}

function hasRoom(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize >= ROOM_BYTES;
  } catch {
    return false;
  }
}
