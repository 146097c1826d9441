import { invariant } from "../lib/mod.ts";
import { STATIC_TABLE } from "./hpack-static-table.ts";

/** Names in lower case, pseudo-headers first; a character stands for an octet. */
export type HeaderList = readonly (readonly [name: string, value: string])[];

const NAME = /^:?[a-z0-9_.-]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

const NAME_INDEXES = new Map<string, number>();
const HEADER_INDEXES = new Map<string, number>();
STATIC_TABLE.forEach(([name, value], position) => {
  if (!NAME_INDEXES.has(name)) NAME_INDEXES.set(name, position + 1);
  if (value !== "") HEADER_INDEXES.set(`${name}\n${value}`, position + 1);
});

/** A table size update to 0: tells the peer that our blocks use no dynamic table (RFC 7541 section 6.3). */
export const NO_DYNAMIC_TABLE = Buffer.of(0x20);

/**
 * A header block (RFC 7541) that reads the same on every connection: references to the static table and literals that are
 * not indexed, without Huffman codes.
 */
export function encodeHeaders(headers: HeaderList): Buffer {
  const octets: number[] = [];
  for (const [name, value] of headers) {
    invariant(NAME.test(name) && VALUE.test(value), `${name} with a value of ${value.length} is no header of HTTP/2`);
    const index = HEADER_INDEXES.get(`${name}\n${value}`);
    if (index !== undefined) {
      pushInteger(octets, 0x80, 7, index);
      continue;
    }
    const nameIndex = NAME_INDEXES.get(name) ?? 0;
    pushInteger(octets, 0, 4, nameIndex);
    if (nameIndex === 0) pushString(octets, name);
    pushString(octets, value);
  }
  return Buffer.from(octets);
}

function pushInteger(octets: number[], prefix: number, prefixBits: number, value: number): void {
  const mask = (1 << prefixBits) - 1;
  if (value < mask) {
    octets.push(prefix | value);
    return;
  }
  octets.push(prefix | mask);
  let rest = value - mask;
  for (; rest >= 0x80; rest >>>= 7) octets.push(0x80 | (rest & 0x7f));
  octets.push(rest);
}

function pushString(octets: number[], text: string): void {
  pushInteger(octets, 0, 7, text.length);
  for (let at = 0; at < text.length; at++) octets.push(text.charCodeAt(at));
}
