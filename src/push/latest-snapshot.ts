/** The latest snapshot, and when tables may be made of it. There is no queue: what waits is only that one. */
import type { Clock } from "../lib/mod.ts";
import type { ChangeSet, MeshSnapshot } from "../mesh/mod.ts";

/** A change that waits for its turn. */
export interface Published {
  /** All that changed since the last one that was taken. */
  readonly changes: readonly ChangeSet[];
  /** When the first of them was published, on the monotonic clock. */
  readonly at: number;
}

export interface LatestSnapshot {
  publish(snapshot: MeshSnapshot, changes: ChangeSet): void;
  /** The snapshot that tables are made of: the latest one, or one before it while that waits for its turn. */
  adopted(): MeshSnapshot | undefined;
  /** Adopts the latest snapshot if it waits and its turn has come; says what changed with it. */
  takeDue(): Published | undefined;
  /** Whether what is published has to wait. */
  isHeld(): boolean;
  /** What is published has its turn no sooner than this. */
  holdUntil(at: number): void;
  /** What waits, waits no longer than until then. */
  hurry(until: number): void;
  /** When what waits has its turn, on the monotonic clock; never (infinity) when nothing waits. */
  dueAt(): number;
}

/** Creates a {@link LatestSnapshot} without a snapshot. */
export function latestSnapshot(clock: Clock): LatestSnapshot {
  let latest: MeshSnapshot | undefined;
  let adopted: MeshSnapshot | undefined;
  let waiting: { readonly changes: ChangeSet[]; readonly at: number } | undefined;
  let notBefore = Number.NEGATIVE_INFINITY;
  return {
    publish(snapshot, changes) {
      if (snapshot.generation === latest?.generation) return;
      latest = snapshot;
      waiting ??= { changes: [], at: clock.monotonic() };
      waiting.changes.push(changes);
    },
    adopted: () => adopted,
    takeDue() {
      if (waiting === undefined || clock.monotonic() < notBefore) return undefined;
      const due = waiting;
      waiting = undefined;
      adopted = latest;
      return due;
    },
    isHeld: () => clock.monotonic() < notBefore,
    holdUntil(at) {
      notBefore = at;
    },
    hurry(until) {
      notBefore = Math.min(notBefore, until);
    },
    dueAt: () => (waiting === undefined ? Number.POSITIVE_INFINITY : notBefore),
  };
}
