import { Http2Error } from "./errors.ts";
import { decodeHuffman } from "./hpack-huffman.ts";
import { STATIC_TABLE } from "./hpack-static-table.ts";

/** SETTINGS_HEADER_TABLE_SIZE that holds until somebody says otherwise, which we do not. */
export const HEADER_TABLE_BYTES = 4096;
/** What RFC 7541 section 4.1 adds to each entry's name and value. */
const ENTRY_OVERHEAD_BYTES = 32;

type Header = readonly [name: string, value: string];

/** In the order in which they came. */
export type ReceivedHeaders = readonly Header[];

const NOTHING = new Uint8Array(0);

/**
 * Reads the header blocks of one connection in their order (RFC 7541). Its dynamic table holds at most 4 KiB as HPACK
 * counts. A block that is wrong, or whose list is larger than `listBytesMax` (counted the same way), throws `Http2Error`
 * and ends the connection, since the table is no longer that of the peer.
 */
export class HpackDecoder {
  readonly #listBytesMax: number;
  /** Oldest first: index 62 of a block is the last one. At most 128, for an entry counts 32 bytes at least. */
  readonly #dynamic: Header[] = [];
  #dynamicBytes = 0;
  #dynamicBytesMax = HEADER_TABLE_BYTES;
  #bytes: Uint8Array = NOTHING;
  #at = 0;
  #end = 0;

  constructor(listBytesMax: number) {
    this.#listBytesMax = listBytesMax;
  }

  /** The headers of the block that `bytes` holds from `start` to `end`. A character stands for an octet. */
  decode(bytes: Uint8Array, start: number, end: number): ReceivedHeaders {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    const headers: Header[] = [];
    let listBytes = 0;
    let maySize = true;
    while (this.#at < this.#end) {
      const first = bytes[this.#at] as number;
      if ((first & 0xe0) === 0x20) {
        if (!maySize) throw malformed("a table size update after a header");
        this.#resize(this.#integer(5));
        continue;
      }
      maySize = false;
      const header = this.#header(first);
      listBytes += sizeOf(header);
      if (listBytes > this.#listBytesMax) {
        throw new Http2Error("ENHANCE_YOUR_CALM", `a header list is larger than ${this.#listBytesMax} bytes`);
      }
      headers.push(header);
    }
    this.#bytes = NOTHING;
    return headers;
  }

  #header(first: number): Header {
    if (first >= 0x80) return this.#entry(this.#integer(7));
    const isIndexed = first >= 0x40;
    const nameIndex = this.#integer(isIndexed ? 6 : 4);
    const name = nameIndex === 0 ? this.#string() : this.#entry(nameIndex)[0];
    const header: Header = [name, this.#string()];
    if (isIndexed) this.#remember(header);
    return header;
  }

  #entry(index: number): Header {
    const dynamicIndex = index - STATIC_TABLE.length - 1;
    const entry = dynamicIndex < 0 ? STATIC_TABLE[index - 1] : this.#dynamic[this.#dynamic.length - 1 - dynamicIndex];
    if (!entry) throw malformed(`header index ${index}, which the tables do not have`);
    return entry;
  }

  #remember(header: Header): void {
    this.#dynamic.push(header);
    this.#dynamicBytes += sizeOf(header);
    this.#evict();
  }

  #resize(bytesMax: number): void {
    if (bytesMax > HEADER_TABLE_BYTES) {
      throw malformed(`a table of ${bytesMax} bytes, more than the ${HEADER_TABLE_BYTES} that it may have`);
    }
    this.#dynamicBytesMax = bytesMax;
    this.#evict();
  }

  /** An entry larger than the whole table empties it and is not kept (RFC 7541 section 4.4). */
  #evict(): void {
    while (this.#dynamicBytes > this.#dynamicBytesMax) {
      this.#dynamicBytes -= sizeOf(this.#dynamic.shift() as Header);
    }
  }

  /** RFC 7541 section 5.1, up to 2^28 and five octets: nothing that a block may say is larger. */
  #integer(prefixBits: number): number {
    const mask = (1 << prefixBits) - 1;
    let value = this.#octet() & mask;
    if (value < mask) return value;
    for (let shift = 0; shift < 28; shift += 7) {
      const octet = this.#octet();
      value += (octet & 0x7f) << shift;
      if (octet < 0x80) return value;
    }
    throw malformed("an integer of more than five octets");
  }

  #octet(): number {
    if (this.#at >= this.#end) throw malformed("an end in the middle of a header");
    return this.#bytes[this.#at++] as number;
  }

  #string(): string {
    const isHuffman = this.#at < this.#end && (this.#bytes[this.#at] as number) >= 0x80;
    const length = this.#integer(7);
    const start = this.#at;
    if (length > this.#end - start) throw malformed("a string that is longer than the block");
    this.#at += length;
    if (isHuffman) {
      const decoded = decodeHuffman(this.#bytes, start, this.#at);
      if (decoded === undefined) throw malformed("a string that is not Huffman-encoded as it says");
      return decoded;
    }
    return Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + start, length).toString("latin1");
  }
}

function sizeOf([name, value]: Header): number {
  return name.length + value.length + ENTRY_OVERHEAD_BYTES;
}

function malformed(what: string): Http2Error {
  return new Http2Error("COMPRESSION_ERROR", `a header block has ${what}`);
}
