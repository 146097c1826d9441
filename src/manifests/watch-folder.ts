import { lstatSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import type { Log, Rejection } from "../lib/mod.ts";
import { nextTurn } from "../platform/mod.ts";
import { type DirectoryWatchers, watchDirectories } from "./directory-watchers.ts";
import { EventBurst } from "./event-burst.ts";
import type { Parse } from "./file-reader.ts";
import { FolderFiles, isUnlisted } from "./folder-files.ts";
import { codeOf, directoryId, type FolderScan, fingerprintOf, isManifestPath, scanFolder } from "./folder-scan.ts";
import { type FolderListener, FolderTeller } from "./folder-teller.ts";
import { LastGood } from "./last-good.ts";
import { createManifestSet, type ManifestSet } from "./manifest-set.ts";
import { createSettling, SETTLE_MS, type Settling } from "./settling.ts";
import { Sweeps } from "./sweeps.ts";
import { WakeUp } from "./wake-up.ts";

export interface FolderOptions extends FolderListener {
  readonly dir: string;
  readonly log: Log;
  /** Where the last good state of each file is kept; no other folder's. */
  readonly stateDir: string;
  /** Parses big files, best on another thread. */
  readonly parse: Parse;
}

/** A folder of manifests as a source of objects. */
export interface FolderSource {
  /** Resolves when the first reset has been handed over. */
  readonly ready: Promise<void>;
  /** Files, documents and duplicates without effect, now. */
  rejections(): readonly Rejection[];
  /** Stops watching; resolves when the last good states are on disk. */
  stop(): Promise<void>;
}

/** Looking at files lets everything else go first after this long. */
const SLICE_MS = 5;
/** Files looked at before what they say is told. */
const PATHS_AT_A_TIME = 64;

/**
 * Reads a folder of manifests and follows its changes. A file renamed into place is applied at once, one written in place
 * when it has rested; a file that cannot be read keeps what it said last, over restarts too; an object that moves from
 * file to file in one go is not deleted in between.
 */
export function watchFolder(options: FolderOptions): FolderSource {
  const follower = new FolderFollower(options);
  follower.begin();
  return {
    ready: follower.teller.ready,
    rejections: () => follower.teller.rejections(),
    stop: () => follower.stop(),
  };
}

class FolderFollower {
  readonly teller: FolderTeller;
  readonly #options: FolderOptions;
  readonly #set: ManifestSet = createManifestSet();
  readonly #lastGood: LastGood;
  readonly #settling: Settling;
  readonly #watchers: DirectoryWatchers;
  readonly #files: FolderFiles;
  readonly #dirty = new Set<string>();
  readonly #burst: EventBurst;
  #scan: FolderScan | undefined;
  /** Before anything else: something has happened that the paths it was told of do not say all about. */
  #isRescanDue = true;
  readonly #sweeps: Sweeps;
  #isStopped = false;
  #running: Promise<void> | undefined;
  /** Of this round and those that follow at once: few paths take less, and thousands come by few. */
  #sliceEndMs = 0;
  /** Woken while running: what woke it may have come too late for this round. */
  #isWokenAgain = false;
  readonly #wakeUp: WakeUp;

  constructor(options: FolderOptions) {
    this.#options = options;
    this.teller = new FolderTeller(options, this.#set);
    this.#lastGood = new LastGood(options.stateDir, options);
    this.#settling = createSettling(options.clock);
    const again = (paths: Iterable<string>, delayMs: number) => {
      for (const path of paths) this.#dirty.add(path);
      if (delayMs > 0) this.#wakeUp.after(delayMs);
      else this.#wakeUp.soon();
    };
    const into = { set: this.#set, lastGood: this.#lastGood, settling: this.#settling };
    this.#files = new FolderFiles({ ...options, ...into, again });
    const onEvent = (directory: string, name: string | undefined) => this.#noteEvent(directory, name);
    this.#watchers = watchDirectories({ root: options.dir, log: options.log, onEvent });
    this.#sweeps = new Sweeps(options.clock, {
      scan: () => this.#list(),
      onSwept: () => this.#wakeUp.soon(),
    });
    this.#burst = new EventBurst(options.clock, () => this.#sweeps.distrust());
    this.#wakeUp = new WakeUp(options.clock, () => {
      this.#isWokenAgain = true;
      this.#running ??= this.#run();
    });
  }

  begin(): void {
    this.#wakeUp.soon();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#files.stop();
    this.#wakeUp.stop();
    this.#watchers.close();
    await this.#sweeps.stop();
    await this.#running;
    await this.#lastGood.flushed();
  }

  #noteEvent(directory: string, name: string | undefined): void {
    this.#burst.note();
    const isHidden = name?.startsWith(".") === true;
    // What a hidden entry is about is seen through links only, as in a mounted ConfigMap.
    if (isHidden && this.#scan?.withLinks.has(directory) !== true) return;
    if (name === undefined || isHidden) {
      this.#isRescanDue = true;
    } else {
      const path = directory === "" ? name : `${directory}/${name}`;
      // Thousands come in one turn: to look at each of them would be most of it.
      if (!this.#burst.isFull && this.#isNoise(path)) return;
      this.#dirty.add(path);
    }
    this.teller.noteEvent();
    this.#wakeUp.soon();
  }

  /** Whether this is a file that is no manifest, as the one that is written before it is renamed: the rename must not wait. */
  #isNoise(path: string): boolean {
    if (isManifestPath(path) || this.#scan === undefined || this.#scan.directories.has(path)) return false;
    try {
      const stats = lstatSync(join(this.#options.dir, path), { throwIfNoEntry: false });
      return stats === undefined || stats.isFile();
    } catch {
      // It is looked at again, and told of, like all others.
      return false;
    }
  }

  async #run(): Promise<void> {
    this.#beginSlice();
    while (!this.#isStopped && this.#hasWork()) {
      this.#isWokenAgain = false;
      if (this.#isRescanDue) await this.#rescan();
      const swept = this.#sweeps.take();
      if (swept !== undefined) this.#adopt(swept.scan, swept.isLookedAt);
      await this.#lookAt(this.#takePaths());
      if (!this.#isStopped) await this.#tell();
    }
    this.#running = undefined;
    if (this.#isUnsettled()) this.#wakeUp.after(SETTLE_MS);
    else if (this.#set.hasDeletes()) this.#wakeUp.after(this.teller.quietInMs());
  }

  #hasWork(): boolean {
    return this.#isWokenAgain || this.#dirty.size > 0 || this.#isRescanDue;
  }

  async #lookAt(paths: Iterable<string>): Promise<void> {
    for (const path of paths) {
      await this.#look(path);
      if (this.#options.clock.monotonic() < this.#sliceEndMs) continue;
      await nextTurn();
      this.#beginSlice();
    }
  }

  #beginSlice(): void {
    this.#sliceEndMs = this.#options.clock.monotonic() + SLICE_MS;
  }

  async #tell(): Promise<void> {
    const progress = {
      isReading: this.#isReading(),
      isUnsettled: this.#isUnsettled(),
      problems: this.#scan?.problems ?? [],
    };
    const isFirst = await this.teller.tell(progress, () => this.#isStopped);
    if (isFirst) this.#lastGood.keepOnly(new Set(this.#files.paths()));
  }

  /** Paths to look at now, the latest ones first: one edit does not wait for thousands of files that came before. */
  #takePaths(): ReadonlySet<string> {
    const latest = [...this.#dirty].slice(-PATHS_AT_A_TIME);
    for (const path of latest) this.#dirty.delete(path);
    return new Set([...latest, ...this.#settling.unsettled()]);
  }

  #list(): Promise<FolderScan> {
    return scanFolder(this.#options.dir, (path, id) => {
      if (!this.#isStopped) this.#watchers.ensure(path, id);
    });
  }

  /** Lists the folder at once; what is left of a sweep is older. */
  async #rescan(): Promise<void> {
    this.#isRescanDue = false;
    this.#sweeps.drop();
    const startMs = this.#options.clock.monotonic();
    const scan = await this.#list();
    const isFirst = this.#scan === undefined;
    this.#adopt(scan, () => false);
    if (isFirst) await this.#files.restore(scan);
    this.#sweeps.pause(this.#options.clock.monotonic() - startMs);
  }

  /** Notes what is new, changed or gone; what was looked at since the listing began is known better than it says. */
  #adopt(scan: FolderScan, isLookedAt: (path: string) => boolean): void {
    this.#scan = scan;
    if (!this.#isStopped) this.#watchers.keepOnly(scan.directories);
    const isWhole = scan.unlisted.length === 0 && scan.withLinks.size === 0;
    if (!isWhole || !this.#watchers.areAllWatched()) this.#sweeps.distrust();
    for (const [path, seen] of scan.files) {
      if (this.#files.isRead(path, seen)) continue;
      this.#dirty.add(path);
      if (!isLookedAt(path)) this.#sweeps.distrust();
    }
    for (const path of this.#files.paths()) {
      if (scan.files.has(path) || scan.dangling.has(path) || isUnlisted(scan, path)) continue;
      this.#sweeps.distrust();
      if (!isLookedAt(path)) this.#forget(path);
    }
  }

  /**
   * Looks at one path: reads it when it is a manifest that has changed and rests, lists the folder when that may tell more.
   * On the spot, because the system has just told of this file: a trip to another thread takes ten times longer.
   */
  async #look(path: string): Promise<void> {
    const { dir } = this.#options;
    this.#sweeps.noteLook(path);
    let stats: Stats | undefined;
    try {
      stats = lstatSync(join(dir, path));
      if (stats.isSymbolicLink()) {
        if (isManifestPath(path) && this.#scan?.files.has(path) !== true) this.#isRescanDue = true;
        stats = statSync(join(dir, path));
      }
    } catch (error) {
      // A link that leads nowhere is there all the same.
      this.#lookAtAbsence(path, stats === undefined && codeOf(error) === "ENOENT" && this.#isSameRoot());
      return;
    }
    if (stats.isDirectory()) {
      if (this.#scan?.directories.get(path) !== directoryId(stats)) this.#isRescanDue = true;
    } else if (isManifestPath(path)) {
      // The report of what was there before goes with the next listing.
      if (this.#scan?.dangling.has(path) === true) this.#isRescanDue = true;
      if (stats.isFile()) await this.#files.look(path, fingerprintOf(stats));
      else this.#isRescanDue = true;
    }
  }

  /** Whether the folder is the one that was listed: else events are about another one. */
  #isSameRoot(): boolean {
    const stats = statSync(this.#options.dir, { throwIfNoEntry: false });
    return stats !== undefined && this.#scan?.directories.get("") === directoryId(stats);
  }

  #lookAtAbsence(path: string, isGone: boolean): void {
    this.#settling.forget(path);
    const isFolder = this.#scan?.directories.has(path) === true;
    const mayBeLink = this.#scan?.withLinks.has(parentOf(path)) === true;
    if (isFolder || mayBeLink || !isGone) this.#isRescanDue = true;
    else this.#forget(path);
  }

  #forget(path: string): void {
    if (this.#files.forget(path)) this.teller.noteAbsence();
  }

  #isReading(): boolean {
    return this.#dirty.size > 0 || this.#files.isReading();
  }

  #isUnsettled(): boolean {
    return this.#settling.unsettledCount() > 0 || this.#isReading();
  }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}
