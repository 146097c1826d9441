import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Clock, Log } from "../lib/mod.ts";
import { nextTurn } from "../platform/mod.ts";
import { codeOf } from "./folder-scan.ts";
import { digestOf, type JournalChange, LastGoodJournal } from "./last-good-journal.ts";
import type { ManifestObject } from "./manifest-text.ts";

/**
 * What each file said when it could last be read, kept on disk, so that a restart while a file is broken changes
 * nothing. Changes are written behind, all of a second in one go.
 */
export interface LastGood {
  /** Undefined when the file could never be read. */
  load(file: string): Promise<readonly ManifestObject[] | undefined>;
  /** Those of the kept files that `isWanted`. */
  filesOf(isWanted: (file: string) => boolean): Promise<readonly string[]>;
  save(file: string, objects: readonly ManifestObject[]): void;
  remove(file: string): void;
  /** Removes what all other files said. */
  keepOnly(files: ReadonlySet<string>): void;
  /** Resolves when everything asked for so far is on disk, or cannot be written. Nothing is tried again after that. */
  flushed(): Promise<void>;
}

type Wishes = Map<string, readonly ManifestObject[] | undefined>;

/** What changes again in this time is written once. */
const BEHIND_MS = 1000;
/** What could not be written is tried again after so long: all of a folder may be compared for that. */
const RETRY_MS = 60_000;
/** Comparing with what is kept lets everything else go first after this long. */
const SLICE_MS = 5;

/** Keeps it in `dir`, which is created when something is written first. */
export function createLastGood(dir: string, { clock, log }: { readonly clock: Clock; readonly log: Log }): LastGood {
  /** What is to be written or, when undefined, removed; the newest wish for a file alone counts. */
  let wishes: Wishes = new Map();
  /** Older wishes that are being written, or could not be. */
  let unwritten: Wishes = new Map();
  let journal: LastGoodJournal | undefined;
  /** One use of the journal at a time. */
  let last: Promise<unknown> = Promise.resolve();
  let worker: Promise<void> | undefined;
  let cancelTimer: (() => void) | undefined;
  /** Files to keep, when others are to be removed. */
  let kept: ReadonlySet<string> | undefined;
  /** Told once, until it works again. */
  let hasFailed = false;

  const withJournal = <T>(use: (journal: LastGoodJournal) => T | Promise<T>): Promise<T> => {
    const used = last.then(async () => {
      journal ??= await LastGoodJournal.open(join(dir, "last-good.journal"));
      return use(journal);
    });
    last = used.catch(() => undefined);
    return used;
  };
  const changesOf = async (batch: Wishes, open: LastGoodJournal): Promise<readonly JournalChange[]> => {
    const changes: JournalChange[] = [];
    let sliceEndMs = clock.monotonic() + SLICE_MS;
    for (const [file, objects] of batch) {
      const content = objects && { objects, digest: digestOf(objects) };
      if (content?.digest !== open.digestOf(file)) changes.push({ file, content });
      if (clock.monotonic() < sliceEndMs) continue;
      await nextTurn();
      sliceEndMs = clock.monotonic() + SLICE_MS;
    }
    return changes;
  };
  const work = async () => {
    const batch: Wishes = new Map([...unwritten, ...wishes]);
    const keeping = kept;
    unwritten = batch;
    wishes = new Map();
    kept = undefined;
    try {
      if (keeping !== undefined) await removeEntries(dir);
      await withJournal(async (open) => {
        const others = keeping && [...open.files()].filter((file) => !keeping.has(file) && !batch.has(file));
        for (const file of others ?? []) batch.set(file, undefined);
        const changes = await changesOf(batch, open);
        if (changes.length > 0) await open.write(changes);
      });
      unwritten = new Map();
      hasFailed = false;
    } catch (error) {
      if (!hasFailed) log.warn("last good manifests are not kept", { dir, error: codeOf(error) });
      hasFailed = true;
      kept ??= keeping;
      // Of what is not there nothing has to be removed: else the names of all files that ever were would gather.
      for (const [file, objects] of batch) {
        if (objects === undefined && journal?.digestOf(file) === undefined) batch.delete(file);
      }
      journal = undefined;
    }
    worker = undefined;
    if (isDue()) cancelTimer ??= clock.after(hasFailed ? RETRY_MS : BEHIND_MS, begin);
  };
  const isDue = () => kept !== undefined || wishes.size + unwritten.size > 0;
  const begin = () => {
    cancelTimer?.();
    cancelTimer = undefined;
    if (isDue()) worker ??= work();
  };
  const wish = (file: string, objects: readonly ManifestObject[] | undefined) => {
    wishes.set(file, objects);
    if (worker === undefined) cancelTimer ??= clock.after(BEHIND_MS, begin);
  };

  return {
    async load(file) {
      for (const pending of [wishes, unwritten]) if (pending.has(file)) return pending.get(file);
      try {
        return await withJournal((open) => open.read(file));
      } catch (error) {
        log.warn("a last good manifest cannot be read", { file, error: codeOf(error) });
        return undefined;
      }
    },
    async filesOf(isWanted) {
      try {
        return await withJournal((open) => [...open.files()].filter(isWanted));
      } catch (error) {
        log.warn("last good manifests cannot be read", { dir, error: codeOf(error) });
        return [];
      }
    },
    save: wish,
    remove: (file) => wish(file, undefined),
    keepOnly(files) {
      kept = files;
      begin();
    },
    async flushed() {
      do {
        begin();
        await worker;
      } while (isDue() && !hasFailed);
      cancelTimer?.();
      cancelTimer = undefined;
    },
  };
}

/** Entries of an earlier version, which kept each in a file of its own. */
async function removeEntries(dir: string): Promise<void> {
  // Without the folder there are none.
  const names = await readdir(dir).catch((): string[] => []);
  for (const name of names) {
    // What cannot be removed now is removed at the next start.
    if (/\.manifest(\.new)?$/.test(name)) await rm(join(dir, name), { force: true }).catch(() => {});
  }
}
