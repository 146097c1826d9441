/** Frames of HTTP/2 (RFC 9113) as a client with one stream, number 1, writes them. */
import { encodeHeaders } from "./hpack.ts";

export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const FLAG = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 0x20 } as const;

export const FRAME_HEADER_BYTES = 9;
/** The length that every peer takes (section 4.2); no larger one is announced. */
export const FRAME_BYTES_MAX = 16_384;
export const INITIAL_WINDOW = 65_535;
export const STREAM = 1;

/** What Envoy lets a peer send before it reads, per stream and per connection (its defaults). */
export const RECEIVE_WINDOW = 256 * 1024 * 1024;

export const SETTING = { headerTableSize: 1, enablePush: 2, initialWindowSize: 4, maxFrameSize: 5 } as const;

export function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(FRAME_HEADER_BYTES + payload.length);
  writeFrameHeader(bytes, 0, payload.length, type, flags, stream);
  bytes.set(payload, FRAME_HEADER_BYTES);
  return bytes;
}

function writeFrameHeader(
  bytes: Buffer,
  at: number,
  length: number,
  type: number,
  flags: number,
  stream: number,
): void {
  bytes.writeUIntBE(length, at, 3);
  bytes[at + 3] = type;
  bytes[at + 4] = flags;
  bytes.writeUInt32BE(stream, at + 5);
}

export function windowUpdate(stream: number, increment: number): Buffer {
  const payload = Buffer.allocUnsafe(4);
  payload.writeUInt32BE(increment);
  return frame(FRAME.windowUpdate, 0, stream, payload);
}

/** All that a client says before it has heard anything: preface, settings, window, and the headers of a gRPC call. */
export function opening(call: {
  readonly path: string;
  readonly authority: string;
  readonly scheme: "http" | "https";
}): Buffer {
  const settings = Buffer.alloc(18);
  const values = [
    [SETTING.headerTableSize, 0],
    [SETTING.enablePush, 0],
    [SETTING.initialWindowSize, RECEIVE_WINDOW],
  ] as const;
  for (const [index, [id, value]] of values.entries()) {
    settings.writeUInt16BE(id, index * 6);
    settings.writeUInt32BE(value, index * 6 + 2);
  }
  const headers = encodeHeaders([
    [":method", "POST"],
    [":scheme", call.scheme],
    [":path", call.path],
    [":authority", call.authority],
    ["te", "trailers"],
    ["content-type", "application/grpc"],
  ]);
  return Buffer.concat([
    Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    frame(FRAME.settings, 0, 0, settings),
    windowUpdate(0, RECEIVE_WINDOW - INITIAL_WINDOW),
    frame(FRAME.headers, FLAG.endHeaders, STREAM, headers),
  ]);
}

/** A gRPC message in one DATA frame; undefined when it does not fit into one. The same bytes serve every connection. */
export function dataFrame(message: Uint8Array): Buffer | undefined {
  const length = message.length + GRPC_PREFIX_BYTES;
  if (length > FRAME_BYTES_MAX) return undefined;
  const bytes = Buffer.allocUnsafe(FRAME_HEADER_BYTES + length);
  writeFrameHeader(bytes, 0, length, FRAME.data, 0, STREAM);
  bytes[FRAME_HEADER_BYTES] = 0;
  bytes.writeUInt32BE(message.length, FRAME_HEADER_BYTES + 1);
  bytes.set(message, FRAME_HEADER_BYTES + GRPC_PREFIX_BYTES);
  return bytes;
}

/** Whether it is compressed, and its length. */
export const GRPC_PREFIX_BYTES = 5;

/** A gRPC message cut into DATA frames that every peer takes. */
export function dataFrames(message: Uint8Array): readonly Buffer[] {
  const prefixed = Buffer.allocUnsafe(GRPC_PREFIX_BYTES + message.length);
  prefixed[0] = 0;
  prefixed.writeUInt32BE(message.length, 1);
  prefixed.set(message, GRPC_PREFIX_BYTES);
  const frames: Buffer[] = [];
  for (let at = 0; at < prefixed.length; at += FRAME_BYTES_MAX) {
    frames.push(frame(FRAME.data, 0, STREAM, prefixed.subarray(at, at + FRAME_BYTES_MAX)));
  }
  return frames;
}
