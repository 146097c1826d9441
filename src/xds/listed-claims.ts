import type { Claims } from "./protocol.ts";

/**
 * Claims as they were read, one after the other. Most are compared with a table and dropped: only who asks for one by its
 * name has a map made of them, for which each name would have to be looked up among all strings of the process.
 */
export class ListedClaims implements Claims {
  readonly #names: string[] = [];
  readonly #versions: string[] = [];
  #map: Map<string, string> | undefined;

  /** Counts a name as often as it was said. */
  get size(): number {
    return this.#names.length;
  }

  /** Not to be called any more once somebody has asked. */
  add(name: string, version: string): void {
    this.#names.push(name);
    this.#versions.push(version);
  }

  get(name: string): string | undefined {
    return this.#byName().get(name);
  }

  keys(): Iterable<string> {
    return this.#byName().keys();
  }

  /** In the order of the request, a name as often as it was said. */
  forEach(action: (version: string, name: string) => void): void {
    for (let n = 0; n < this.#names.length; n++) action(this.#versions[n] as string, this.#names[n] as string);
  }

  /** What is said last of a name counts. */
  #byName(): ReadonlyMap<string, string> {
    if (this.#map === undefined) {
      this.#map = new Map();
      for (let n = 0; n < this.#names.length; n++) {
        this.#map.set(this.#names[n] as string, this.#versions[n] as string);
      }
    }
    return this.#map;
  }
}
