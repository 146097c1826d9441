import { type Parse, type Reading, readManifest, readWholeJson, SMALL_MAX_BYTES } from "./file-reader.ts";
import { type Fingerprint, type FolderScan, isSameFingerprint } from "./folder-scan.ts";
import type { LastGood } from "./last-good.ts";
import type { ManifestSet } from "./manifest-set.ts";
import { SETTLE_MS, type Settling } from "./settling.ts";

/** What the files of a folder are read into, and how. */
export interface FolderFilesOptions {
  readonly dir: string;
  readonly parse: Parse;
  readonly set: ManifestSet;
  readonly lastGood: LastGood;
  readonly settling: Settling;
  /** These are to be looked at again, after so long. */
  readonly again: (paths: Iterable<string>, delayMs: number) => void;
}

/** Big files read at a time before others wait for them: each is in memory as a whole. */
const BIG_READINGS_MAX = 2;

/** The files of a folder: what each said when it was read last, and when to read it again. */
export class FolderFiles {
  readonly #options: FolderFilesOptions;
  /** State of each file when it was last read. */
  readonly #known = new Map<string, Fingerprint>();
  /** Hash of what a small file's text was when it could last be read: one that is written again as it was says nothing. */
  readonly #contents = new Map<string, string>();
  /** Of two readings of one file, the later counts. */
  readonly #readings = new Map<string, symbol>();
  /** Big files that wait for others of their kind. */
  readonly #putOff = new Set<string>();
  #bigReadings = 0;
  #isStopped = false;

  constructor(options: FolderFilesOptions) {
    this.#options = options;
  }

  paths(): Iterable<string> {
    return this.#known.keys();
  }

  /** Whether it was in this state when it was last read. */
  isRead(path: string, seen: Fingerprint): boolean {
    const known = this.#known.get(path);
    return known !== undefined && isSameFingerprint(known, seen);
  }

  /** Whether some are known of, and not read to their end. */
  isReading(): boolean {
    return this.#readings.size > 0 || this.#putOff.size > 0;
  }

  /** What is being read counts no more. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Reads a file that was seen in a state, when it has changed and rests. Big ones are read beside everything else. */
  async look(path: string, seen: Fingerprint): Promise<void> {
    const { settling } = this.#options;
    const known = this.#known.get(path);
    if (known !== undefined && isSameFingerprint(known, seen)) {
      settling.forget(path);
    } else if (settling.isSettled(path, seen, known)) {
      if (seen.size <= SMALL_MAX_BYTES) await this.#read(path, seen);
      else this.#readBig(path, seen);
    } else if (isNewSmallJson(path, seen, known)) {
      this.#takeWhole(path, seen);
    }
  }

  /** Whether it was known. */
  forget(path: string): boolean {
    const { settling, set, lastGood } = this.#options;
    settling.forget(path);
    this.#putOff.delete(path);
    this.#readings.delete(path);
    this.#contents.delete(path);
    if (!this.#known.delete(path)) return false;
    set.remove(path);
    lastGood.remove(path);
    return true;
  }

  /** What was said before the start by what cannot be looked at now stands as well. */
  async restore(scan: FolderScan): Promise<void> {
    const { lastGood, set } = this.#options;
    const unseen = new Set(scan.dangling);
    if (scan.unlisted.length > 0) {
      for (const path of await lastGood.filesOf((file) => isUnlisted(scan, file))) unseen.add(path);
    }
    for (const path of unseen) {
      const objects = await lastGood.load(path);
      if (objects === undefined) continue;
      this.#known.set(path, NOT_THERE);
      set.put(path, { isReadable: true, objects, rejections: [] });
    }
  }

  /**
   * Takes a file that may have been renamed into place: written a moment before, its times do not tell, as the system's
   * file times move on once in a few milliseconds. For the same reason it is read again when it rests: what is written to it
   * within the same step leaves times, and perhaps size, as they are.
   */
  #takeWhole(path: string, seen: Fingerprint): void {
    const reading = readWholeJson(this.#options.dir, path, seen, this.#contents.get(path));
    if (reading === undefined) return;
    this.#readings.delete(path);
    this.#known.set(path, asUnread(seen));
    this.#accept(path, reading);
  }

  /** Starts reading a big file, or puts it off; nothing else waits for it. */
  #readBig(path: string, seen: Fingerprint): void {
    if (this.#bigReadings >= BIG_READINGS_MAX) {
      this.#putOff.add(path);
      return;
    }
    this.#bigReadings += 1;
    void this.#read(path, seen).finally(() => {
      this.#bigReadings -= 1;
      const next = [...this.#putOff];
      this.#putOff.clear();
      this.#options.again(next, 0);
    });
  }

  async #read(path: string, seen: Fingerprint): Promise<void> {
    const { dir, parse, set, lastGood, again } = this.#options;
    const number = Symbol(path);
    this.#readings.set(path, number);
    this.#known.set(path, seen);
    const reading = await readManifest(dir, path, seen, { parse, before: this.#contents.get(path) });
    const isLatest = () => this.#readings.get(path) === number && !this.#isStopped;
    if (!isLatest()) return;
    if (reading === undefined) {
      // Written to while it was read: it is as good as unread.
      this.#known.set(path, asUnread(seen));
      again([path], SETTLE_MS);
    } else if (reading.parsed?.isReadable === false && !set.has(path)) {
      const objects = await lastGood.load(path);
      if (!isLatest()) return;
      if (objects !== undefined) set.put(path, { isReadable: true, objects, rejections: [] });
    }
    this.#readings.delete(path);
    if (reading !== undefined) this.#accept(path, reading);
  }

  #accept(path: string, { parsed, content }: Reading): void {
    if (parsed === undefined) return;
    this.#options.set.put(path, parsed);
    if (parsed.isReadable) this.#options.lastGood.save(path, parsed.objects);
    if (parsed.isReadable && content !== undefined) this.#contents.set(path, content);
    else this.#contents.delete(path);
  }
}

/** Whether nothing can be said of a path, since it, or a folder above it, could not be looked at. */
export function isUnlisted({ unlisted }: FolderScan, path: string): boolean {
  return unlisted.some((parent) => parent === "" || path === parent || path.startsWith(`${parent}/`));
}

/** Not one that is written over in place: half of it may be old, half new, and the whole be JSON. */
function isNewSmallJson(path: string, seen: Fingerprint, known: Fingerprint | undefined): boolean {
  return path.endsWith(".json") && seen.inode !== known?.inode && seen.size > 0 && seen.size <= SMALL_MAX_BYTES;
}

/** Equal to the state of no file. */
const NOT_THERE: Fingerprint = { inode: -1, size: -1, modifiedMs: -1, changedMs: -1 };

/** Of this file, and equal to no state of it. */
function asUnread(seen: Fingerprint): Fingerprint {
  return { ...seen, size: -1 };
}
