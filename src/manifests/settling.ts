import type { Clock } from "../lib/mod.ts";
import { type Fingerprint, isSameFingerprint } from "./folder-scan.ts";

/** How long size and time of a file that is written in place must stand still before it is read. */
export const SETTLE_MS = 20;

/** Tells files that are complete from files that somebody is writing. */
export interface Settling {
  /**
   * Whether the file in this state may be read. `known` is the state that was read last. When it may not, ask again after
   * {@link SETTLE_MS}.
   */
  isSettled(file: string, seen: Fingerprint, known: Fingerprint | undefined): boolean;
  forget(file: string): void;
  /** Files that were not settled when last asked about. */
  unsettled(): Iterable<string>;
  unsettledCount(): number;
}

/** Creates a settling that has seen nothing. The clock's `now` must be the file system's. */
export function createSettling(clock: Clock): Settling {
  const waiting = new Map<string, { readonly seen: Fingerprint; readonly sinceMs: number }>();
  return {
    isSettled(file, seen, known) {
      const before = waiting.get(file);
      const isStill = before !== undefined && isSameFingerprint(before.seen, seen);
      const hasRested = isStill ? clock.monotonic() - before.sinceMs >= SETTLE_MS : restsLong(seen, clock.now());
      if (hasRested || (before === undefined && wasRenamed(seen, known))) {
        waiting.delete(file);
        return true;
      }
      if (!isStill) waiting.set(file, { seen, sinceMs: clock.monotonic() });
      return false;
    },
    forget: (file) => {
      waiting.delete(file);
    },
    unsettled: () => [...waiting.keys()],
    unsettledCount: () => waiting.size,
  };
}

function restsLong(seen: Fingerprint, nowMs: number): boolean {
  return nowMs - Math.max(seen.modifiedMs, seen.changedMs) >= SETTLE_MS;
}

/**
 * A file that was written elsewhere and renamed into place is another inode, changed (by the rename) after its content
 * was; a file created in place has one time for both. Event types do not tell: Node and Deno name them differently.
 */
function wasRenamed(seen: Fingerprint, known: Fingerprint | undefined): boolean {
  return seen.inode !== known?.inode && seen.changedMs > seen.modifiedMs;
}
