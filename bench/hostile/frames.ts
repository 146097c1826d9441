/** Bytes of HTTP/2 (RFC 9113), HPACK (RFC 7541) and gRPC as somebody writes them who does not keep to the rules. */

export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;
export const END_STREAM = 1;
export const END_HEADERS = 4;
export const PADDED = 8;

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** A frame; `length` says what its header claims where that is not the truth. */
export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array = Buffer.alloc(0),
  length = payload.length,
): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

/** How every connection begins. */
export const opening = Buffer.concat([PREFACE, frame(FRAME.settings, 0, 0), frame(FRAME.settings, 1, 0)]);

export function uint32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [n, value] of values.entries()) bytes.writeUInt32BE(value >>> 0, 4 * n);
  return bytes;
}

/** One setting: its number and value. */
export function setting(id: number, value: number): Buffer {
  const bytes = Buffer.alloc(6);
  bytes.writeUInt16BE(id, 0);
  bytes.writeUInt32BE(value, 2);
  return bytes;
}

/** A header block of literals without indexing and without Huffman; names and values below 127 bytes, or one long value. */
export function headerBlock(headers: readonly (readonly [name: string, value: string])[]): Buffer {
  return Buffer.concat(headers.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]));
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, "latin1");
  return Buffer.concat([integer(bytes.length, 7), bytes]);
}

/** RFC 7541 §5.1. */
function integer(value: number, prefixBits: number): Buffer {
  const max = 2 ** prefixBits - 1;
  if (value < max) return Buffer.from([value]);
  const bytes = [max];
  let rest = value - max;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}

const SERVICE = "/envoy.service.discovery.v3.AggregatedDiscoveryService";
export const DELTA = `${SERVICE}/DeltaAggregatedResources`;
export const SOTW = `${SERVICE}/StreamAggregatedResources`;

export function requestHeaders(path: string, further: readonly (readonly [string, string])[] = []): Buffer {
  return headerBlock([
    [":method", "POST"],
    [":scheme", "https"],
    [":path", path],
    [":authority", "localhost"],
    ["content-type", "application/grpc"],
    ["te", "trailers"],
    ...further,
  ]);
}

/** Opens a gRPC stream. */
export function open(stream: number, path = DELTA): Buffer {
  return frame(FRAME.headers, END_HEADERS, stream, requestHeaders(path));
}

/** A gRPC message in one frame; `length` says what its prefix claims where that is not the truth. */
export function message(
  stream: number,
  bytes: Uint8Array,
  { length = bytes.length, compressed = 0, flags = 0 } = {},
): Buffer {
  const prefix = Buffer.from([compressed, ...uint32(length)]);
  return frame(FRAME.data, flags, stream, Buffer.concat([prefix, bytes]));
}

export function repeated(count: number, make: (n: number) => Buffer): Buffer {
  return Buffer.concat(Array.from({ length: count }, (_, n) => make(n)));
}
