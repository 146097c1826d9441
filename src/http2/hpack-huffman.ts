/**
 * Bits of the code of each octet, from RFC 7541 appendix B. The code is canonical: within one length codes count up with
 * the octets, and the next length goes on from there. The end of string (EOS) is the last one, 30 bits of 1.
 */
// biome-ignore format: a table of 16 by 16
const CODE_LENGTHS: readonly number[] = [
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
];

const EOS = 256;
const LONGEST_CODE = 30;

/** Nodes of the code's tree: two entries each, for bit 0 and bit 1. Positive: the next node; below 0: -1 - symbol. */
const TREE = codeTree();

function codeTree(): Int16Array {
  const tree = new Int16Array(2 * 257);
  let nodes = 1;
  let code = 0;
  for (let length = 1; length <= LONGEST_CODE; length++) {
    for (let symbol = 0; symbol <= EOS; symbol++) {
      if ((CODE_LENGTHS[symbol] ?? LONGEST_CODE) !== length) continue;
      let node = 0;
      for (let bit = length - 1; bit > 0; bit--) {
        const edge = node * 2 + ((code >>> bit) & 1);
        if (tree[edge] === 0) tree[edge] = nodes++;
        node = tree[edge] as number;
      }
      tree[node * 2 + (code & 1)] = -1 - symbol;
      code += 1;
    }
    code *= 2;
  }
  return tree;
}

/**
 * Decodes a string of RFC 7541 section 5.2, one character an octet. Undefined: it holds EOS, or does not end with at most
 * seven bits of 1. The result is at most 8/5 as long as the input.
 */
export function decodeHuffman(bytes: Uint8Array, start: number, end: number): string | undefined {
  const decoded = Buffer.allocUnsafe(Math.ceil(((end - start) * 8) / 5));
  let length = 0;
  let node = 0;
  let bitsOfNode = 0;
  let isAllOnes = true;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    for (let shift = 7; shift >= 0; shift--) {
      const bit = (byte >>> shift) & 1;
      const next = TREE[node * 2 + bit] as number;
      if (next >= 0) {
        node = next;
        bitsOfNode += 1;
        if (bit === 0) isAllOnes = false;
        continue;
      }
      if (next === -1 - EOS) return undefined;
      decoded[length++] = -1 - next;
      node = 0;
      bitsOfNode = 0;
      isAllOnes = true;
    }
  }
  return bitsOfNode <= 7 && isAllOnes ? decoded.toString("latin1", 0, length) : undefined;
}
