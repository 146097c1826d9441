import type { Claims } from "./protocol.ts";
import { joined } from "./wire-names.ts";

/**
 * Claims as they stand in a request. Most are compared with a table and dropped, byte by byte: only who asks for one by its
 * name has a map made of them, for which each name would have to be looked up among all strings of the process.
 */
export class WireClaims implements Claims {
  readonly bytes: Buffer;
  /** Where name and version begin and end, four numbers for each claim. */
  readonly places: readonly number[];
  #map: Map<string, string> | undefined;

  /** `bytes`, which are kept, are UTF-8 in each of the `places`. */
  constructor(bytes: Buffer, places: readonly number[]) {
    this.bytes = bytes;
    this.places = places;
  }

  static of(claims: Iterable<readonly [name: string, version: string]>): WireClaims {
    const places: number[] = [];
    const bytes = joined([...claims].flat(), places);
    return new WireClaims(bytes, places);
  }

  /** Counts a name as often as it was said. */
  get size(): number {
    return this.places.length / 4;
  }

  get(name: string): string | undefined {
    return this.#byName().get(name);
  }

  keys(): Iterable<string> {
    return this.#byName().keys();
  }

  /** In the order of the request, a name as often as it was said. */
  forEach(action: (version: string, name: string) => void): void {
    const { bytes, places } = this;
    for (let n = 0; n < places.length; n += 4) {
      const name = bytes.toString("utf8", places[n], places[n + 1]);
      action(bytes.toString("utf8", places[n + 2], places[n + 3]), name);
    }
  }

  /** What is said last of a name counts. */
  #byName(): ReadonlyMap<string, string> {
    if (this.#map !== undefined) return this.#map;
    const map = new Map<string, string>();
    this.forEach((version, name) => void map.set(name, version));
    this.#map = map;
    return map;
  }
}
