import type { NameSet } from "../resource.ts";

/**
 * What a client holds under a name: a version, or one of these marks. Versions are hashes or `issuer.serial.expiry`, so
 * that no mark is one.
 */
export type Held = string;
/** Nothing. */
export const ABSENT: Held = "-";
/** The client asks to be told, whatever it holds; if there is nothing, it asks to be told that. */
export const ASKED: Held = "?";
/** Not known, because the client refused a response that said something about this name. */
export const UNCERTAIN: Held = "~";

const OWED_PREFIX = "!";
/** Holds `version`, and has to be sent what the table says even if that is the same. */
export function owed(version: string): Held {
  return OWED_PREFIX + version;
}
/** Whether a client is sent a resource only because it is owed: it holds this very version. */
export function isOwed(held: Held, version: string): boolean {
  return held.length === version.length + 1 && held.startsWith(OWED_PREFIX) && held.endsWith(version);
}
/** The version that a client holds, where it is known to hold one. */
export function versionIn(held: Held): string | undefined {
  if (held === ABSENT || held === ASKED || held === UNCERTAIN) return undefined;
  return held.startsWith(OWED_PREFIX) ? held.slice(OWED_PREFIX.length) : held;
}

const NO_ENTRIES: readonly (readonly [string, Held])[] = [];

/**
 * Names with what a client holds of each, in the order in which they were noted. One name, which is what a change of one
 * object notes, takes no map, nor does all of a table of which a client holds nothing yet; and a stream that is up to date
 * takes next to nothing.
 */
export class HeldNames {
  /** Of each of these the client holds `#held`. */
  #all: NameSet | undefined;
  #name: string | undefined;
  #held: Held = ABSENT;
  /** Of all names, as soon as there is more than one and they are not `#all`. */
  #map: Map<string, Held> | undefined;

  get size(): number {
    if (this.#all !== undefined) return this.#all.size;
    if (this.#map !== undefined) return this.#map.size;
    return this.#name === undefined ? 0 : 1;
  }

  has(name: string): boolean {
    if (this.#all !== undefined) return this.#all.has(name);
    return this.#map === undefined ? this.#name === name : this.#map.has(name);
  }

  get(name: string): Held | undefined {
    if (this.#all !== undefined) return this.#all.has(name) ? this.#held : undefined;
    if (this.#map !== undefined) return this.#map.get(name);
    return this.#name === name ? this.#held : undefined;
  }

  /**
   * Notes the same of each of `names`, {@link ABSENT} or {@link ASKED}. They never change and are kept by reference; only while
   * nothing else is noted.
   */
  setAll(names: NameSet, held: Held): void {
    if (names.size === 0) return;
    this.#all = names;
    this.#held = held;
  }

  set(name: string, held: Held): void {
    if (this.#all !== undefined) this.#part(this.#all);
    if (this.#map !== undefined) {
      this.#map.set(name, held);
    } else if (this.#name === undefined || this.#name === name) {
      this.#name = name;
      this.#held = held;
    } else {
      this.#map = new Map([[this.#name, this.#held]]);
      this.#map.set(name, held);
      this.#name = undefined;
    }
  }

  delete(name: string): void {
    if (this.#all !== undefined) this.#part(this.#all);
    if (this.#map === undefined) {
      if (this.#name === name) this.#name = undefined;
    } else if (this.#map.delete(name) && this.#map.size === 0) {
      this.#map = undefined;
    }
  }

  clear(): void {
    this.#all = undefined;
    this.#map = undefined;
    this.#name = undefined;
  }

  /** All of a table, where the same is noted of each of its names. */
  get all(): NameSet | undefined {
    return this.#all;
  }

  /** What is noted of each of {@link all}. */
  get allHeld(): Held {
    return this.#held;
  }

  /** The name, where one is noted by itself: to look at it takes no iterator, and most changes are about one name. */
  get only(): string | undefined {
    return this.#all === undefined && this.#map === undefined ? this.#name : undefined;
  }

  /** Entries that are deleted on the way do no harm. */
  entries(): Iterable<readonly [name: string, held: Held]> {
    if (this.#all !== undefined) return alike(this.#all, this.#held);
    if (this.#map !== undefined) return this.#map;
    return this.#name === undefined ? NO_ENTRIES : [[this.#name, this.#held]];
  }

  /** Some of them are to differ from the others. */
  #part(all: NameSet): void {
    this.#map = new Map(alike(all, this.#held));
    this.#all = undefined;
  }
}

function* alike(names: NameSet, held: Held): Iterable<readonly [name: string, held: Held]> {
  for (const name of names) yield [name, held];
}
