import { chownSync, closeSync, copyFileSync, fstatSync, ftruncateSync, mkdirSync, openSync, writeSync } from "node:fs";
import { dirname } from "node:path";

/** What one container may keep of its output: this much, and as much again from before the last rotation. */
const LOG_BYTES_MAX = 10 * 1024 * 1024;

/**
 * The output of a container: a file that the program writes itself, so that `/dev/stdout` works in it as in a cluster
 * and nothing stands between a busy program and its log.
 */
export interface ContainerLog {
  readonly path: string;
  /** To be passed on to the program. */
  readonly descriptor: number;
  /** Adds a line of our own. */
  note(text: string): void;
  /** Moves a log that has grown too large to `PATH.1` and starts anew. Lines written meanwhile may be lost. */
  rotate(): void;
  close(): void;
}

/**
 * Opens the log at `path` for a program that runs as `uid`, which owns it, so that it may open `/dev/stdout`; the caller's group
 * reads it. Earlier output of the same container stays.
 */
export function openContainerLog(path: string, uid: number): ContainerLog {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // Appending, so that a program goes on at the start after its file was emptied.
  const descriptor = openSync(path, "a", 0o640);
  chownSync(path, uid, process.getgid?.() ?? 0);
  let isOpen = true;
  return {
    path,
    descriptor,
    note(text) {
      if (isOpen) writeSync(descriptor, `${text}\n`);
    },
    rotate() {
      if (!isOpen || fstatSync(descriptor).size <= LOG_BYTES_MAX) return;
      copyFileSync(path, `${path}.1`);
      ftruncateSync(descriptor, 0);
    },
    close() {
      if (isOpen) closeSync(descriptor);
      isOpen = false;
    },
  };
}
