import { mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/** A holder shows every second that it lives; one that was silent for this long (ms) is dead. */
const silence = 15_000;

/**
 * Runs `work` while no other process runs its own under the same path. The lock is a folder: making one is atomic on
 * every file system. A holder that died is noticed at once by its process id, or by its silence where ids say nothing
 * (another PID namespace).
 *
 * @template T
 * @param {string} path
 * @param {(holder: string) => void} onWait called once, when there is somebody to wait for
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withFolderLock(path, onWait, work) {
  mkdirSync(dirname(path), { recursive: true });
  let hasTold = false;
  while (!tryToTake(path)) {
    removeDead(path);
    if (!hasTold) onWait(holderOf(path));
    hasTold = true;
    await delay(100);
  }
  const heartbeat = setInterval(() => utimesSync(path, new Date(), new Date()), 1000);
  heartbeat.unref();
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    rmSync(path, { recursive: true, force: true });
  }
}

/** @param {string} path */
function tryToTake(path) {
  try {
    mkdirSync(path);
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === "EEXIST") return false;
    throw error;
  }
  writeFileSync(join(path, "holder"), String(process.pid));
  return true;
}

/** @param {string} path */
function holderOf(path) {
  try {
    return readFileSync(join(path, "holder"), "utf8");
  } catch {
    return "unknown";
  }
}

/** @param {string} path */
function removeDead(path) {
  try {
    const age = Date.now() - statSync(path).mtimeMs;
    const pid = Number(holderOf(path));
    if (age < silence && (age < 1000 || !(pid > 0) || isAlive(pid))) return;
    // Renaming first: of two that see the same dead holder, one removes it and the other finds nothing to rename.
    const grave = `${path}.${process.pid}.dead`;
    renameSync(path, grave);
    rmSync(grave, { recursive: true, force: true });
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== "ENOENT") throw error;
  }
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === "EPERM";
  }
}
