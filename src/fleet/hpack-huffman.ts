/** The Huffman code of RFC 7541, appendix B. It is canonical: codes of a length go up with their symbols, so lengths say all. */

/** Bits of the code of each byte, sixteen a row, and of the end of the string. */
// biome-ignore format: sixteen a row, as one looks for a byte
const CODE_BITS: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
  28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
  5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
  6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
  24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
  21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
  26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30,
];

const END_OF_STRING = 256;
const LONGEST = 30;

/** Symbols in the order of their codes, and of each length the first code and the position of its symbol. */
const { symbols, firstCode, firstPosition, counts } = canonicalCode();

function canonicalCode() {
  const ordered: number[] = [];
  const codes = new Array<number>(LONGEST + 1).fill(0);
  const positions = new Array<number>(LONGEST + 1).fill(0);
  const many = new Array<number>(LONGEST + 1).fill(0);
  let code = 0;
  for (let bits = 1; bits <= LONGEST; bits++) {
    code *= 2;
    codes[bits] = code;
    positions[bits] = ordered.length;
    for (const [symbol, own] of CODE_BITS.entries()) if (own === bits) ordered.push(symbol);
    many[bits] = ordered.length - (positions[bits] ?? 0);
    code += many[bits] ?? 0;
  }
  return { symbols: ordered, firstCode: codes, firstPosition: positions, counts: many };
}

/** The text, a character a byte; undefined when the bytes are not a string in this code (section 5.2). */
export function huffmanText(bytes: Uint8Array): string | undefined {
  let text = "";
  let code = 0;
  let bits = 0;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      code = code * 2 + ((byte >> bit) & 1);
      bits++;
      const offset = code - (firstCode[bits] ?? 0);
      if (offset < (counts[bits] ?? 0)) {
        const symbol = symbols[(firstPosition[bits] ?? 0) + offset] ?? END_OF_STRING;
        if (symbol === END_OF_STRING) return undefined;
        text += String.fromCharCode(symbol);
        code = 0;
        bits = 0;
      } else if (bits === LONGEST) return undefined;
    }
  }
  // What fills the last byte is the beginning of the end of the string: up to seven ones.
  return bits < 8 && code === 2 ** bits - 1 ? text : undefined;
}
