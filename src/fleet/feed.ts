import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";
import { makeFolder } from "../platform/mod.ts";
import {
  drainFlood,
  FeedTroubleError,
  flood,
  makeUnreadable,
  moveAway,
  moveBack,
  restoreMoved,
  rewriteAll,
  tear,
} from "./feed-trouble.ts";
import type { FileKey, World } from "./world.ts";
import type { KubeObject } from "./world-objects.ts";

/** Objects in a file of those that do not change. */
const OBJECTS_PER_FILE = 500;
/** Of folders, before the umask: as `mkdir` makes them. */
const FOLDER_MODE = 0o777;
/** Says that the files beside it may be removed; its name begins with a dot, so that nobody serves it. */
const MARKER = ".osm-fleet";
const MARKER_TEXT = "Manifests in this folder are of osm fleet run, and the next run removes them.\n";
const OWN_FILE = /^(world-\d+|config|slice-\d+-\d+|(pod|policy|routes|split|stranger)-\d+)\.json$/;

/** What is done to the folder beside the change of files, just before it. */
export type FeedTrouble =
  /** The file is cut short. */
  | { readonly kind: "tear"; readonly key: FileKey }
  /** The files of the change are written over in place. */
  | { readonly kind: "mend" }
  | { readonly kind: "lose"; readonly key: FileKey }
  /** The folder is not there until it is `back`; changes made meanwhile come with it. */
  | { readonly kind: "away" }
  | { readonly kind: "back" }
  | { readonly kind: "rewrite" }
  /** More events than a reader who does not read meanwhile is told of; the files of the change are among what it misses. */
  | { readonly kind: "flood" };

/** A change of the folder that is written and not in place yet. */
export interface PreparedChange {
  /** Puts it in place. Gives the time (CLOCK_MONOTONIC, ns) just before. */
  readonly commit: () => bigint;
}

/**
 * The folder that a control plane reads. What may change lies in files of its own, each replaced as a whole by a file that
 * was written beside it; the rest lies in few large files.
 */
export class FolderFeed {
  readonly #folder: string;
  /** Where files are written before they are in place; the same file system, and not read by the control plane. */
  readonly #beside: string;
  /** Where it is while it is away, and what takes its place then. */
  readonly #away: string;
  readonly #back: string;
  /** Where it is now. */
  #place: string;
  #count = 0;
  /** For a process that ends in the middle. */
  readonly #comeBack = (): void => {
    moveBack(this.#folder, this.#away, this.#back);
  };

  /**
   * `folder` is made when it is not there; what it holds already is left. What a run that was killed had moved away is put
   * back first; throws a `FeedTroubleError` when something else is in its place, or the folder cannot be made.
   */
  constructor(folder: string) {
    // Names beside it are made of its own, which must not end with a slash.
    this.#folder = resolve(folder);
    this.#beside = `${this.#folder}.next`;
    this.#away = join(this.#beside, "away");
    this.#back = join(this.#beside, "back");
    this.#place = this.#folder;
    restoreMoved(this.#folder, this.#away, this.#back);
    try {
      makeFolder(this.#folder, FOLDER_MODE);
      makeFolder(this.#beside, FOLDER_MODE);
    } catch (error) {
      throw new FeedTroubleError(`The folder for the scenario's objects cannot be made: ${(error as Error).message}.`);
    }
  }

  /**
   * Makes the folder the run's own: removes what earlier runs have left in it, which would be mixed with this run's world.
   * Throws a `FeedTroubleError` when it holds anything else that a control plane may read, folders and links to them included.
   */
  claim(): void {
    const isClaimed = existsSync(join(this.#folder, MARKER));
    const read = readdirSync(this.#folder, { withFileTypes: true }).filter(
      (entry) => !entry.name.startsWith(".") && (!entry.isFile() || /\.(ya?ml|json)$/.test(entry.name)),
    );
    const foreign = read.find((entry) => !isClaimed || entry.isDirectory() || !OWN_FILE.test(entry.name));
    if (foreign !== undefined) {
      throw new FeedTroubleError(
        `${this.#folder} holds ${foreign.name}, which osm fleet run has not written: the scenario's objects would be mixed with it. Let the control plane serve a folder of the scenario's own.`,
      );
    }
    for (const { name } of read) rmSync(join(this.#folder, name));
    writeFileSync(join(this.#folder, MARKER), MARKER_TEXT);
  }

  /** Writes the whole world; `changing` lie in files of their own. Gives how many files there are. */
  writeAll(world: World, changing: ReadonlySet<FileKey>): number {
    const resting: KubeObject[] = [...world.constantObjects()];
    let files = 0;
    for (const key of world.fileKeys()) {
      if (!changing.has(key)) {
        resting.push(...world.objectsOf(key));
        continue;
      }
      files += 1;
      writeFileSync(join(this.#folder, fileName(key)), textOf(world.objectsOf(key)));
    }
    for (let first = 0; first < resting.length; first += OBJECTS_PER_FILE) {
      const name = `world-${String(first / OBJECTS_PER_FILE).padStart(4, "0")}.json`;
      writeFileSync(join(this.#folder, name), textOf(resting.slice(first, first + OBJECTS_PER_FILE)));
      files += 1;
    }
    return files;
  }

  /**
   * Writes what the files say now, to be renamed into place later: a file that is renamed as soon as it was written looks
   * like one that is still being written, since the kernel's clock of files moves in steps of 4 ms.
   */
  prepare(world: World, keys: readonly FileKey[], trouble?: FeedTrouble): PreparedChange {
    const moves = keys.map((key) => {
      const name = fileName(key);
      const objects = world.objectsOf(key);
      if (objects.length === 0) return { from: undefined, name };
      const from = this.#besideName();
      writeFileSync(from, textOf(objects));
      return { from, name };
    });
    return {
      commit: () => {
        if (trouble !== undefined) this.#trouble(trouble);
        const at = process.hrtime.bigint();
        for (const { from, name } of moves) {
          const to = join(this.#place, name);
          if (from === undefined) rmSync(to, { force: true });
          else if (trouble?.kind === "mend") writeFileSync(to, readFileSync(from));
          else renameSync(from, to);
        }
        return at;
      },
    };
  }

  close(): void {
    if (this.#place !== this.#folder) this.#trouble({ kind: "back" });
    drainFlood(this.#folder);
    rmSync(this.#beside, { recursive: true, force: true });
  }

  #besideName(): string {
    this.#count += 1;
    return join(this.#beside, `${this.#count}.json`);
  }

  #trouble(trouble: FeedTrouble): void {
    switch (trouble.kind) {
      case "mend":
        break;
      case "tear":
        tear(join(this.#place, fileName(trouble.key)));
        break;
      case "lose":
        makeUnreadable(join(this.#place, fileName(trouble.key)), this.#besideName());
        break;
      case "away":
        moveAway(this.#folder, this.#away, this.#back);
        this.#place = this.#back;
        process.once("exit", this.#comeBack);
        break;
      case "back":
        process.off("exit", this.#comeBack);
        moveBack(this.#folder, this.#away, this.#back);
        this.#place = this.#folder;
        break;
      case "rewrite":
        rewriteAll(this.#place, this.#beside);
        break;
      case "flood":
        flood(this.#place);
        break;
    }
  }
}

function fileName(key: FileKey): string {
  return `${key.replaceAll(" ", "-")}.json`;
}

function textOf(objects: readonly KubeObject[]): string {
  const [only] = objects;
  if (only !== undefined && objects.length === 1) return JSON.stringify(only);
  return JSON.stringify({ apiVersion: "v1", kind: "List", items: objects });
}
