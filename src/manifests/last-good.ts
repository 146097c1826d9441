import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Clock, Log } from "../lib/mod.ts";
import { nextTurn } from "../platform/mod.ts";
import { codeOf } from "./folder-scan.ts";
import { digestOf, type JournalChange, LastGoodJournal } from "./last-good-journal.ts";
import type { ManifestObject } from "./manifest-text.ts";

/** What is to be written of a file or, when undefined, removed. */
type Wishes = Map<string, readonly ManifestObject[] | undefined>;

/** What changes again in this time is written once. */
const BEHIND_MS = 1000;
/** What could not be written is tried again after so long: all of a folder may be compared for that. */
const RETRY_MS = 60_000;
/** Comparing with what is kept lets everything else go first after this long. */
const SLICE_MS = 5;
/** Files that are gone and cannot be removed; of more, a start forgets those that it does not find. */
const REMOVALS_MAX = 10_000;

/**
 * What each file said when it could last be read, kept on disk, so that a restart while a file is broken changes
 * nothing. Changes are written behind, all of a second in one go.
 */
export class LastGood {
  readonly #dir: string;
  readonly #clock: Clock;
  readonly #log: Log;
  /** The newest wish for a file alone counts. */
  #wishes: Wishes = new Map();
  /** Older wishes that are being written, or could not be. */
  #unwritten: Wishes = new Map();
  #journal: LastGoodJournal | undefined;
  /** One use of the journal at a time. */
  #last: Promise<unknown> = Promise.resolve();
  #worker: Promise<void> | undefined;
  #cancelTimer: (() => void) | undefined;
  /** Files to keep, when others are to be removed. */
  #kept: ReadonlySet<string> | undefined;
  /** Told once, until it works again. */
  #hasFailed = false;

  /** Keeps it in `dir`, which is created when something is written first. */
  constructor(dir: string, { clock, log }: { readonly clock: Clock; readonly log: Log }) {
    this.#dir = dir;
    this.#clock = clock;
    this.#log = log;
  }

  /** Undefined when the file could never be read. */
  async load(file: string): Promise<readonly ManifestObject[] | undefined> {
    for (const pending of [this.#wishes, this.#unwritten]) if (pending.has(file)) return pending.get(file);
    try {
      return await this.#withJournal((journal) => journal.read(file));
    } catch (error) {
      this.#log.warn("a last good manifest cannot be read", { file, error: codeOf(error) });
      return undefined;
    }
  }

  /** Those of the kept files that `isWanted`. */
  async filesOf(isWanted: (file: string) => boolean): Promise<readonly string[]> {
    try {
      return await this.#withJournal((journal) => [...journal.files()].filter(isWanted));
    } catch (error) {
      this.#log.warn("last good manifests cannot be read", { dir: this.#dir, error: codeOf(error) });
      return [];
    }
  }

  save(file: string, objects: readonly ManifestObject[]): void {
    this.#wish(file, objects);
  }

  remove(file: string): void {
    this.#wish(file, undefined);
  }

  /** Removes what all other files said. */
  keepOnly(files: ReadonlySet<string>): void {
    this.#kept = files;
    this.#begin();
  }

  /** Resolves when everything asked for so far is on disk, or cannot be written. Nothing is tried again after that. */
  async flushed(): Promise<void> {
    do {
      this.#begin();
      await this.#worker;
    } while (this.#isDue() && !this.#hasFailed);
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #wish(file: string, objects: readonly ManifestObject[] | undefined): void {
    this.#wishes.set(file, objects);
    if (this.#worker === undefined) this.#cancelTimer ??= this.#clock.after(BEHIND_MS, () => this.#begin());
  }

  #isDue(): boolean {
    return this.#kept !== undefined || this.#wishes.size + this.#unwritten.size > 0;
  }

  #begin(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#isDue()) this.#worker ??= this.#work();
  }

  async #work(): Promise<void> {
    const batch: Wishes = new Map([...this.#unwritten, ...this.#wishes]);
    const kept = this.#kept;
    this.#unwritten = batch;
    this.#wishes = new Map();
    this.#kept = undefined;
    try {
      if (kept !== undefined) await removeEntries(this.#dir);
      await this.#withJournal(async (journal) => {
        const others = kept && [...journal.files()].filter((file) => !kept.has(file) && !batch.has(file));
        for (const file of others ?? []) batch.set(file, undefined);
        const changes = await this.#changesOf(batch, journal);
        if (changes.length > 0) await journal.write(changes);
      });
      this.#unwritten = new Map();
      this.#hasFailed = false;
    } catch (error) {
      if (!this.#hasFailed) {
        this.#log.warn("last good manifests are not kept", { dir: this.#dir, error: codeOf(error) });
      }
      this.#hasFailed = true;
      this.#kept ??= kept;
      dropRemovals(batch, this.#journal);
      this.#journal = undefined;
    }
    this.#worker = undefined;
    if (!this.#isDue()) return;
    this.#cancelTimer ??= this.#clock.after(this.#hasFailed ? RETRY_MS : BEHIND_MS, () => this.#begin());
  }

  #withJournal<T>(use: (journal: LastGoodJournal) => T | Promise<T>): Promise<T> {
    const used = this.#last.then(async () => {
      this.#journal ??= await LastGoodJournal.open(join(this.#dir, "last-good.journal"));
      return use(this.#journal);
    });
    this.#last = used.catch(() => undefined);
    return used;
  }

  async #changesOf(batch: Wishes, journal: LastGoodJournal): Promise<readonly JournalChange[]> {
    const changes: JournalChange[] = [];
    let sliceEndMs = this.#clock.monotonic() + SLICE_MS;
    for (const [file, objects] of batch) {
      const content = objects && { objects, digest: digestOf(objects) };
      if (content?.digest !== journal.digestOf(file)) changes.push({ file, content });
      if (this.#clock.monotonic() < sliceEndMs) continue;
      await nextTurn();
      sliceEndMs = this.#clock.monotonic() + SLICE_MS;
    }
    return changes;
  }
}

/**
 * Of what is not there nothing has to be removed: else the names of all files that ever were would gather. Where the journal
 * could not even be opened nobody knows, and the oldest go when they are too many.
 */
function dropRemovals(batch: Wishes, journal: LastGoodJournal | undefined): void {
  const removed = [...batch.keys()].filter((file) => batch.get(file) === undefined);
  const unneeded =
    journal === undefined
      ? removed.slice(0, Math.max(0, removed.length - REMOVALS_MAX))
      : removed.filter((file) => journal.digestOf(file) === undefined);
  for (const file of unneeded) batch.delete(file);
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
