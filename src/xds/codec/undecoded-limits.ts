/** Of a node and an error: a node has 100 kB at most, and an error a few. */
const NODE_AND_ERROR_BYTES_MAX = 256 * 1024;

/**
 * How a discovery request is larger than any may be; undefined where it is not. Told of a beginning of `bytesOfAll` bytes as
 * soon as that has too much itself.
 */
export function requestExcess(beginning: Uint8Array, namesMax: number, bytesOfAll: number): string | undefined {
  if (hasFieldMoreOften(beginning, namesMax)) return `a request may name at most ${namesMax} resources`;
  const most = NODE_AND_ERROR_BYTES_MAX;
  if (bytesOfAll <= most || !hasMessagesLongerThan(beginning, most)) return undefined;
  return `node and error_detail of a request may have at most ${most} bytes together`;
}

/**
 * Whether a field of a protobuf message occurs more often than `max`, without decoding what it holds: a request may be a
 * list of hundreds of thousands of names, each of which would be made an object before the list could be found too long.
 * Goes on past everything that the decoder skips, or a few odd bytes in front would hide the list. False for what is no
 * message; the decoder says that.
 */
export function hasFieldMoreOften(message: Uint8Array, max: number): boolean {
  // An occurrence takes two bytes.
  if (message.length <= 2 * max) return false;
  const counts = new Uint32Array(FIELDS);
  return someField(message, (field) => {
    if (field >= FIELDS) return false;
    const count = (counts[field] ?? 0) + 1;
    counts[field] = count;
    return count > max;
  });
}

/**
 * Whether the fields of a discovery request that hold messages, its node and its error, are longer than `max` bytes all
 * together, as they say: two bytes of them may make an object of the decoder. False for what is no message.
 */
export function hasMessagesLongerThan(message: Uint8Array, max: number): boolean {
  let bytes = 0;
  return someField(message, (field, length) => {
    if (TEXT_FIELDS.includes(field)) return false;
    bytes += length;
    return bytes > max;
  });
}

/** In both protocols these are names, versions, a type or a nonce. */
const TEXT_FIELDS: readonly number[] = [3, 4, 5];

/** Whether `test` holds for some length-delimited field, as the decoder finds them: past all that it skips. */
function someField(message: Uint8Array, test: (field: number, length: number) => boolean): boolean {
  const at: Place = { offset: 0 };
  while (at.offset < message.length) {
    const tag = varint(message, at);
    if (tag >>> 3 === 0) return false;
    switch (tag & WIRE_TYPE) {
      case VARINT:
        varint(message, at);
        break;
      case BITS_64:
        at.offset += 8;
        break;
      case LENGTH_DELIMITED: {
        const length = varint(message, at);
        if (test(tag >>> 3, length)) return true;
        at.offset += length;
        break;
      }
      case GROUP_START:
      case GROUP_END:
        // What is in a group counts as if it were outside: no request has one.
        break;
      case BITS_32:
        at.offset += 4;
        break;
      default:
        return false;
    }
  }
  return false;
}

/** Field numbers of interest are below. */
const FIELDS = 16;
const WIRE_TYPE = 7;
const VARINT = 0;
const BITS_64 = 1;
const LENGTH_DELIMITED = 2;
const GROUP_START = 3;
const GROUP_END = 4;
const BITS_32 = 5;
const VARINT_BYTES_MAX = 10;

interface Place {
  offset: number;
}

/** The lower 32 bits, as the decoder reads tags and lengths, however many bytes they are spread over; 0 where it reads none. */
function varint(message: Uint8Array, at: Place): number {
  let value = 0;
  for (let read = 0; read < VARINT_BYTES_MAX; read++) {
    const byte = message[at.offset++] ?? 0;
    if (read < 5) value |= (byte & 0x7f) << (7 * read);
    if (byte < 0x80) return value >>> 0;
  }
  return 0;
}
