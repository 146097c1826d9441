import { joined } from "./wire-names.ts";

const GOLDEN = 0x9e3779b1;

/**
 * Finds names, and the versions that go with them, by their bytes. A `Map` has each key that was cut out of a message looked
 * up among all strings of the process first, which is most of what a comparison costs.
 */
export class NameIndex {
  readonly #bytes: DataView;
  /** Where name and version begin and end, four numbers for each entry. */
  readonly #places: Int32Array;
  /** Positions of entries, counted from 1, each at its hash or in the next free place; some of them always are free. */
  readonly #slots: Int32Array;

  /** No two entries have one name. */
  constructor(entries: readonly { readonly name: string; readonly version: string }[]) {
    const places: number[] = [];
    const texts = entries.flatMap(({ name, version }) => [name, version]);
    this.#bytes = viewOf(joined(texts, places));
    this.#places = Int32Array.from(places);
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(4 * (entries.length + 1))));
    const last = this.#slots.length - 1;
    for (let position = 0; position < entries.length; position++) {
      const [start, end] = [places[4 * position] as number, places[4 * position + 1] as number];
      let slot = hashOf(this.#bytes, start, end) & last;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & last;
      this.#slots[slot] = position + 1;
    }
  }

  /** The position of the entry whose name are the bytes from `start` to `end`; -1 if there is none. */
  find(bytes: DataView, start: number, end: number): number {
    const last = this.#slots.length - 1;
    for (let slot = hashOf(bytes, start, end) & last; ; slot = (slot + 1) & last) {
      const position = (this.#slots[slot] as number) - 1;
      if (position < 0 || this.#is(4 * position, bytes, start, end)) return position;
    }
  }

  /** Whether the bytes from `start` to `end` are the version of the entry. */
  hasVersion(position: number, bytes: DataView, start: number, end: number): boolean {
    return this.#is(4 * position + 2, bytes, start, end);
  }

  #is(place: number, bytes: DataView, start: number, end: number): boolean {
    const own = this.#bytes;
    const from = this.#places[place] as number;
    if ((this.#places[place + 1] as number) - from !== end - start) return false;
    let at = start;
    let other = from;
    for (; at + 4 <= end; at += 4, other += 4) if (bytes.getInt32(at) !== own.getInt32(other)) return false;
    for (; at < end; at++, other++) if (bytes.getUint8(at) !== own.getUint8(other)) return false;
    return true;
  }
}

/** As an index looks at bytes: four of them at a time, since this runs for each name of each request. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function hashOf(bytes: DataView, start: number, end: number): number {
  let hash = end - start;
  let at = start;
  for (; at + 4 <= end; at += 4) {
    hash = Math.imul(hash ^ bytes.getInt32(at), GOLDEN);
    hash ^= hash >>> 15;
  }
  for (; at < end; at++) hash = Math.imul(hash ^ bytes.getUint8(at), GOLDEN);
  return hash ^ (hash >>> 15);
}
