/**
 * Whether a field of a protobuf message occurs more often than `max`, without decoding what it holds: a request may be a
 * list of hundreds of thousands of names, each of which would be made an object before the list could be found too long.
 * False for what is no message; the decoder says that.
 */
export function hasFieldMoreOften(message: Uint8Array, max: number): boolean {
  // An occurrence takes two bytes.
  if (message.length <= 2 * max) return false;
  const counts = new Uint32Array(FIELDS);
  let at = 0;
  while (at < message.length) {
    const tag = message[at++] ?? 0;
    // Longer tags are fields above 15: there are none of interest, and where they end is not worth knowing.
    if ((tag & WIRE_TYPE) !== LENGTH_DELIMITED || tag >= 0x80) return false;
    const field = tag >> 3;
    const count = (counts[field] ?? 0) + 1;
    if (count > max) return true;
    counts[field] = count;
    let length = 0;
    let shift = 0;
    let byte = 0x80;
    while (byte >= 0x80 && shift < 28) {
      byte = message[at++] ?? 0;
      length |= (byte & 0x7f) << shift;
      shift += 7;
    }
    at += length;
  }
  return false;
}

/** Field numbers that one byte of tag can say. */
const FIELDS = 16;
const WIRE_TYPE = 7;
const LENGTH_DELIMITED = 2;
