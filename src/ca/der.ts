/**
 * DER (X.690), as much of it as certificates and keys need. Written for the bytes of one leaf to cost little beside its
 * two elliptic curve operations; what others made is read by node-forge instead (`read-der.ts`).
 */
import { invariant } from "../lib/mod.ts";

/** Tags of the types used here, the constructed bit included where it belongs (X.690 §8.1.2). */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Tag `[n]`, primitive. */
export const context = (n: number): number => 0x80 | n;
/** Tag `[n]`, constructed. */
export const contextOf = (n: number): number => 0xa0 | n;

/** Encodes one value: `contents` back to back behind tag and length. */
export function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  let length = 0;
  for (const content of contents) length += content.length;
  // Shortest form of the length (X.690 §10.1).
  const lengthBytes = length < 0x80 ? 0 : length < 0x100 ? 1 : 2;
  invariant(length < 0x10000, "a certificate's values are shorter than 64 KiB");
  const bytes = Buffer.allocUnsafe(2 + lengthBytes + length);
  bytes[0] = tag;
  bytes[1] = lengthBytes === 0 ? length : 0x80 | lengthBytes;
  if (lengthBytes > 0) bytes.writeUIntBE(length, 2, lengthBytes);
  let offset = 2 + lengthBytes;
  for (const content of contents) {
    bytes.set(content, offset);
    offset += content.length;
  }
  return bytes;
}

/** Encodes a sequence. */
export const sequence = (...values: readonly Uint8Array[]): Buffer => der(TAG.sequence, ...values);

/** Encodes text: ASCII, or UTF-8 where the tag allows it. */
export const text = (tag: number, value: string): Buffer => der(tag, Buffer.from(value, "utf8"));

/** Encodes a bit string of whole octets. */
export const bitString = (bits: Uint8Array): Buffer => der(TAG.bitString, Buffer.of(0), bits);

/** Encodes an object identifier given in dotted form. */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const octets: number[] = [];
  for (const arc of [first * 40 + second, ...rest]) {
    const groups = [arc & 0x7f];
    for (let left = arc >>> 7; left > 0; left >>>= 7) groups.unshift(0x80 | (left & 0x7f));
    octets.push(...groups);
  }
  return der(TAG.oid, Buffer.from(octets));
}

/** RFC 5280 §4.1.2.5: UTCTime through 2049, GeneralizedTime after. Whole seconds. */
export function time(ms: number): Buffer {
  const iso = new Date(ms).toISOString();
  const digits = `${iso.slice(0, 4)}${iso.slice(5, 7)}${iso.slice(8, 10)}${iso.slice(11, 13)}${iso.slice(14, 16)}${iso.slice(17, 19)}Z`;
  return digits < "2050" ? text(TAG.utcTime, digits.slice(2)) : text(TAG.generalizedTime, digits);
}

/** PEM (RFC 7468): base64 in lines of 64. */
export function pem(label: string, bytes: Uint8Array): string {
  const base64 = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
  let lines = "";
  for (let start = 0; start < base64.length; start += 64) lines += `${base64.slice(start, start + 64)}\n`;
  return `-----BEGIN ${label}-----\n${lines}-----END ${label}-----\n`;
}
