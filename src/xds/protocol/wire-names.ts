import type { SaidNames } from "./protocol.ts";

/**
 * Names as they stand in a request. Most are compared with a table and dropped, byte by byte: strings are made of them for
 * who asks.
 */
export class WireNames implements SaidNames {
  readonly bytes: Buffer;
  /** Where each name begins and ends, two numbers for each. */
  readonly places: readonly number[];

  /** `bytes`, which are kept, are UTF-8 in each of the `places`. */
  constructor(bytes: Buffer, places: readonly number[]) {
    this.bytes = bytes;
    this.places = places;
  }

  static of(names: Iterable<string>): WireNames {
    const places: number[] = [];
    const bytes = joined(names, places);
    return new WireNames(bytes, places);
  }

  get length(): number {
    return this.places.length / 2;
  }

  includes(name: string): boolean {
    for (let n = 0; n < this.places.length; n += 2) {
      const [start, end] = [this.places[n] as number, this.places[n + 1] as number];
      // A name never has fewer bytes than characters.
      const isLikely = end - start >= name.length && end - start <= 3 * name.length;
      if (isLikely && this.bytes.toString("utf8", start, end) === name) return true;
    }
    return false;
  }

  *[Symbol.iterator](): Iterator<string> {
    const { bytes, places } = this;
    for (let n = 0; n < places.length; n += 2) yield bytes.toString("utf8", places[n], places[n + 1]);
  }
}

/** The bytes of all texts, one after the other; notes in `places` where each begins and ends. */
export function joined(texts: Iterable<string>, places: number[]): Buffer {
  let whole = "";
  let at = 0;
  for (const text of texts) {
    whole += text;
    places.push(at);
    at += Buffer.byteLength(text);
    places.push(at);
  }
  const bytes = Buffer.allocUnsafeSlow(at);
  bytes.write(whole);
  return bytes;
}

/** Bytes of the longest of the texts in `places`, of which every `step`th is looked at. */
export function longestOf(places: readonly number[], step: number): number {
  let longest = 0;
  for (let n = 0; n < places.length; n += step) {
    longest = Math.max(longest, (places[n + 1] as number) - (places[n] as number));
  }
  return longest;
}
