import type { NameSet } from "../resource.ts";

const NONE: NameSet = new Set<string>();

/**
 * Names that one stream asks for of one type. A stream that asks for all that its table holds shares the table's own set
 * with the other streams of its class, and keeps only what it has changed since: a name costs a stream nothing then.
 */
export class SubscribedNames implements NameSet {
  #base: NameSet = NONE;
  #added: Set<string> | undefined;
  #removed: Set<string> | undefined;

  get size(): number {
    return this.#base.size + (this.#added?.size ?? 0) - (this.#removed?.size ?? 0);
  }

  has(name: string): boolean {
    if (this.#added?.has(name)) return true;
    return this.#base.has(name) && !this.#removed?.has(name);
  }

  add(name: string): void {
    if (this.#removed?.delete(name) || this.#base.has(name)) return;
    this.#added ??= new Set();
    this.#added.add(name);
  }

  /** False when the name was not there. */
  delete(name: string): boolean {
    if (this.#added?.delete(name)) return true;
    if (!this.#base.has(name) || this.#removed?.has(name)) return false;
    this.#removed ??= new Set();
    this.#removed.add(name);
    return true;
  }

  /** Makes them these names, which are kept by reference; only while there are none. */
  begin(names: NameSet): void {
    this.#base = names;
  }

  /** Holds on to `names` instead of a copy, if they are the same names. */
  share(names: NameSet): void {
    if (names === this.#base || names.size !== this.size) return;
    for (const name of names) if (!this.has(name)) return;
    this.#base = names;
    this.#added = undefined;
    this.#removed = undefined;
  }

  *[Symbol.iterator](): Iterator<string> {
    for (const name of this.#base) if (!this.#removed?.has(name)) yield name;
    if (this.#added !== undefined) yield* this.#added;
  }
}
