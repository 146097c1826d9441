import { setImmediate as nextTurn } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import type { KubeObject, ObjectEvent, SourcedObject } from "../kube/objects.ts";
import type { Clock, Rejection } from "../lib/mod.ts";
import { workInTurns } from "../platform/mod.ts";
import type { ScanProblem } from "./folder-scan.ts";
import type { ManifestSet, StandingObject } from "./manifest-set.ts";
import { SETTLE_MS } from "./settling.ts";
import { GATHER_MS } from "./wake-up.ts";

/** Who follows a folder, and by what clock. */
export interface FolderListener {
  /** Names this source in its events. */
  readonly source: string;
  /** Its `now` must be the file system's time. */
  readonly clock: Clock;
  /**
   * Gets one reset with everything first, then one batch for each set of changes: the next one when the one before was
   * taken in, so that changes gather here, each object once.
   */
  readonly onBatch: (events: readonly ObjectEvent[]) => Promise<void> | void;
  /** Gets all reports whenever they may have changed. */
  readonly onRejections: (rejections: readonly Rejection[]) => void;
}

/** How far the reading of the folder is. */
export interface Progress {
  /** Files are known of, and not read yet. */
  readonly isReading: boolean;
  /** As above, or files are being written by somebody. */
  readonly isUnsettled: boolean;
  readonly problems: readonly ScanProblem[];
}

/** How long a delete waits for files that are being written, in case the object has moved there. */
const HOLD_DELETES_MAX_MS = 200;
/** How long the start waits for files that are being written. */
const FIRST_WAIT_MAX_MS = 2000;
/** Turning JSON into objects lets everything else go first after this long. */
const SLICE_MS = 5;

/** Turns what changed in a set of manifests into events: one reset, then batches. */
export class FolderTeller {
  /** Resolves when the reset has been handed over. */
  readonly ready: Promise<void>;
  readonly #setReady: () => void;
  readonly #listener: FolderListener;
  readonly #set: ManifestSet;
  readonly #startedMs: number;
  #isFirst = true;
  #heldSinceMs: number | undefined;
  /** Until then an object that is gone may turn up in another file. */
  #quietAtMs = Number.NEGATIVE_INFINITY;
  #problems: readonly ScanProblem[] = [];
  #isProblemNews = false;
  #reportedVersion = 0;

  constructor(listener: FolderListener, set: ManifestSet) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ready = promise;
    this.#setReady = resolve;
    this.#listener = listener;
    this.#set = set;
    this.#startedMs = listener.clock.monotonic();
  }

  /** Something happened in the folder; what belongs to it may follow. */
  noteEvent(): void {
    this.#moveQuiet(GATHER_MS);
  }

  /** A file is gone: where its objects went may show only now. */
  noteAbsence(): void {
    this.#moveQuiet(SETTLE_MS);
  }

  /** When deletes may be told, if nothing else happens. */
  quietInMs(): number {
    return Math.max(0, this.#quietAtMs - this.#listener.clock.monotonic());
  }

  rejections(): readonly Rejection[] {
    const names = { kind: "", namespace: "", name: "", field: "", strength: "object" } as const;
    const problems = this.#problems.map(({ path, reason, message }) => ({ ...names, file: path, reason, message }));
    return [...problems, ...this.#set.rejections()];
  }

  /** Hands over what has changed; true when it was the reset. Nothing is handed over once `isStopped`. */
  async tell(progress: Progress, isStopped: () => boolean): Promise<boolean> {
    const wasFirst = this.#isFirst;
    if (!isDeepStrictEqual(this.#problems, progress.problems)) {
      this.#problems = progress.problems;
      this.#isProblemNews = true;
    }
    if (wasFirst) await this.#tellFirst(progress, isStopped);
    else await this.#tellChanges(progress, isStopped);
    if (!isStopped()) this.#tellRejections();
    return wasFirst && !this.#isFirst;
  }

  async #tellFirst({ isReading, isUnsettled }: Progress, isStopped: () => boolean): Promise<void> {
    const { clock, source, onBatch } = this.#listener;
    const isWaiting = isUnsettled && clock.monotonic() - this.#startedMs < FIRST_WAIT_MAX_MS;
    // However long it takes, nothing is left out that can be read.
    if (isWaiting || isReading) return;
    this.#isFirst = false;
    const all = await workInTurns(this.#set.takeAll(), clock, isStopped);
    const objects = await sourcedObjects(all?.value ?? [], clock);
    if (isStopped()) return;
    await onBatch([{ type: "reset", source, objects }]);
    this.#setReady();
  }

  async #tellChanges({ isUnsettled }: Progress, isStopped: () => boolean): Promise<void> {
    const { clock, source, onBatch } = this.#listener;
    const nowMs = clock.monotonic();
    const isQuiet = !isUnsettled && nowMs >= this.#quietAtMs;
    const hasHeldLong = this.#heldSinceMs !== undefined && nowMs - this.#heldSinceMs >= HOLD_DELETES_MAX_MS;
    const taken = await workInTurns(this.#set.takeChanges(isQuiet || hasHeldLong), clock, isStopped);
    const changes = taken?.value ?? [];
    this.#heldSinceMs = this.#set.hasDeletes() ? (this.#heldSinceMs ?? nowMs) : undefined;
    if (changes.length === 0) return;
    const applied = changes.flatMap((change) => (change.type === "apply" ? [change.standing] : []));
    const deleted = changes.flatMap((change) => (change.type === "delete" ? [change.manifest] : []));
    const objects = await sourcedObjects(applied, clock);
    if (isStopped()) return;
    await onBatch([
      ...objects.map((object): ObjectEvent => ({ type: "apply", source, ...object })),
      ...deleted.map(
        ({ apiVersion, kind, namespace, name }): ObjectEvent => ({
          type: "delete",
          source,
          apiVersion,
          kind,
          namespace,
          name,
        }),
      ),
    ]);
  }

  #moveQuiet(delayMs: number): void {
    this.#quietAtMs = Math.max(this.#quietAtMs, this.#listener.clock.monotonic() + delayMs);
  }

  #tellRejections(): void {
    const version = this.#set.reportVersion();
    const isNews = this.#isProblemNews || this.#reportedVersion !== version;
    this.#isProblemNews = false;
    this.#reportedVersion = version;
    if (isNews) this.#listener.onRejections(this.rejections());
  }
}

/** The objects themselves, made in slices: thousands at once would hold up the thread. */
async function sourcedObjects(standing: readonly StandingObject[], clock: Clock): Promise<readonly SourcedObject[]> {
  const objects: SourcedObject[] = [];
  let sliceEndMs = clock.monotonic() + SLICE_MS;
  for (const { manifest, origin } of standing) {
    objects.push({ object: JSON.parse(manifest.json) as KubeObject, origin });
    if (clock.monotonic() < sliceEndMs) continue;
    await nextTurn();
    sliceEndMs = clock.monotonic() + SLICE_MS;
  }
  return objects;
}
