/**
 * Header compression of HTTP/2 (RFC 7541) as far as a client needs it that has set the size of the dynamic table to 0: what
 * it sends are literals, what it reads are literals and the static table, Huffman-coded or not.
 */
import { huffmanText } from "./hpack-huffman.ts";

/** A header block that does not follow RFC 7541, or uses the dynamic table that was refused. */
export class HpackError extends Error {
  override readonly name = "HpackError";
}

/** Appendix A, from index 1. */
const STATIC_TABLE: readonly (readonly [name: string, value: string])[] = (
  ":authority|:method GET|:method POST|:path /|:path /index.html|:scheme http|:scheme https|:status 200|:status 204|" +
  ":status 206|:status 304|:status 400|:status 404|:status 500|accept-charset|accept-encoding gzip, deflate|" +
  "accept-language|accept-ranges|accept|access-control-allow-origin|age|allow|authorization|cache-control|" +
  "content-disposition|content-encoding|content-language|content-length|content-location|content-range|content-type|" +
  "cookie|date|etag|expect|expires|from|host|if-match|if-modified-since|if-none-match|if-range|if-unmodified-since|" +
  "last-modified|link|location|max-forwards|proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after|" +
  "server|set-cookie|strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate"
)
  .split("|")
  .map((entry) => {
    const space = entry.indexOf(" ");
    return space < 0 ? [entry, ""] : [entry.slice(0, space), entry.slice(space + 1)];
  });

/** Writes headers as literals that are never indexed by anybody. */
export function encodeHeaders(headers: readonly (readonly [name: string, value: string])[]): Buffer {
  return Buffer.concat(
    headers.flatMap(([name, value]) => [Buffer.of(0x10), lengthPrefixed(name), lengthPrefixed(value)]),
  );
}

function lengthPrefixed(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  const prefix: number[] = [];
  if (bytes.length < 127) prefix.push(bytes.length);
  else {
    prefix.push(127);
    let left = bytes.length - 127;
    for (; left >= 128; left >>>= 7) prefix.push((left & 127) | 128);
    prefix.push(left);
  }
  return Buffer.concat([Buffer.from(prefix), bytes]);
}

/** Reads a whole header block. Of names that come more than once the last counts. */
export function decodeHeaders(block: Buffer): Map<string, string> {
  const headers = new Map<string, string>();
  const reader = new BlockReader(block);
  while (!reader.isAtEnd) {
    const first = reader.peek();
    if (first & 0x80) {
      const [name, value] = staticEntry(reader.integer(7));
      headers.set(name, value);
    } else if ((first & 0xe0) === 0x20) {
      if (reader.integer(5) > 0) throw new HpackError("the dynamic table grew beyond the 0 bytes that were allowed");
    } else {
      // With a table of size 0 the three kinds of literals differ only in the bits that their index has.
      const index = reader.integer(first & 0x40 ? 6 : 4);
      const name = index === 0 ? reader.text() : staticEntry(index)[0];
      headers.set(name, reader.text());
    }
  }
  return headers;
}

function staticEntry(index: number): readonly [string, string] {
  const entry = STATIC_TABLE[index - 1];
  if (entry === undefined) throw new HpackError(`index ${index} is not in the static table of 61 entries`);
  return entry;
}

class BlockReader {
  readonly #block: Buffer;
  #at = 0;

  constructor(block: Buffer) {
    this.#block = block;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#block.length;
  }

  peek(): number {
    const byte = this.#block[this.#at];
    if (byte === undefined) throw new HpackError("the header block ends within a field");
    return byte;
  }

  integer(prefixBits: number): number {
    const mask = (1 << prefixBits) - 1;
    let value = this.peek() & mask;
    this.#at++;
    if (value < mask) return value;
    for (let shift = 0; ; shift += 7) {
      if (shift > 21) throw new HpackError("an integer of more than 28 bits");
      const byte = this.peek();
      this.#at++;
      value += (byte & 127) << shift;
      if (byte < 128) return value;
    }
  }

  text(): string {
    const isHuffman = (this.peek() & 0x80) !== 0;
    const length = this.integer(7);
    const end = this.#at + length;
    if (end > this.#block.length) throw new HpackError("a string reaches beyond the header block");
    const bytes = this.#block.subarray(this.#at, end);
    this.#at = end;
    if (!isHuffman) return bytes.toString("latin1");
    const text = huffmanText(bytes);
    if (text === undefined) throw new HpackError("a string that is not Huffman-coded as RFC 7541 says");
    return text;
  }
}
