import { ERROR_CODES, type Http2ErrorCode } from "./errors.ts";

/** Frame types of RFC 9113 section 6. */
export const FRAME = {
  DATA: 0x0,
  HEADERS: 0x1,
  PRIORITY: 0x2,
  RST_STREAM: 0x3,
  SETTINGS: 0x4,
  PUSH_PROMISE: 0x5,
  PING: 0x6,
  GOAWAY: 0x7,
  WINDOW_UPDATE: 0x8,
  CONTINUATION: 0x9,
} as const;

/** ACK belongs to SETTINGS and PING, END_STREAM to DATA and HEADERS. */
export const FLAG = { ACK: 0x1, END_STREAM: 0x1, END_HEADERS: 0x4, PADDED: 0x8, PRIORITY: 0x20 } as const;

export const FRAME_HEADER_BYTES = 9;
/**
 * SETTINGS_MAX_FRAME_SIZE that every peer starts with and none may go below. We never raise ours and never send larger
 * frames, so that the same framed bytes fit every peer.
 */
export const FRAME_PAYLOAD_BYTES_MAX = 16_384;
/** Flow-control windows of both sides before any SETTINGS or WINDOW_UPDATE. */
export const INITIAL_WINDOW_BYTES = 65_535;
export const WINDOW_BYTES_MAX = 0x7fff_ffff;

/** What a client sends first (RFC 9113 section 3.4). */
export const CLIENT_PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/** Writes the nine bytes of a frame header into `target` from `at`. */
export function writeFrameHeader(
  target: Uint8Array,
  at: number,
  length: number,
  type: number,
  flags: number,
  streamId: number,
): void {
  target[at] = length >>> 16;
  target[at + 1] = length >>> 8;
  target[at + 2] = length;
  target[at + 3] = type;
  target[at + 4] = flags;
  writeUint32(target, at + 5, streamId);
}

export function readUint32(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)) >>>
    0
  );
}

/** The same with the highest bit, which frames reserve, left out. */
export function readUint31(bytes: Uint8Array, at: number): number {
  return readUint32(bytes, at) & 0x7fff_ffff;
}

function writeUint32(target: Uint8Array, at: number, value: number): void {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
}

/** A frame whose payload is one 32-bit number. */
function numberFrame(type: number, streamId: number, value: number): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + 4);
  writeFrameHeader(frame, 0, 4, type, 0, streamId);
  writeUint32(frame, FRAME_HEADER_BYTES, value);
  return frame;
}

export function windowUpdateFrame(streamId: number, increment: number): Buffer {
  return numberFrame(FRAME.WINDOW_UPDATE, streamId, increment);
}

export function resetFrame(streamId: number, code: Http2ErrorCode): Buffer {
  return numberFrame(FRAME.RST_STREAM, streamId, ERROR_CODES[code]);
}

/** `payload` has 8 bytes. */
export function pingFrame(payload: Uint8Array, flags: number): Buffer {
  return frameOf(FRAME.PING, flags, 0, payload);
}

export function goAwayFrame(lastStreamId: number, code: Http2ErrorCode, debug: string): Buffer {
  const payload = Buffer.alloc(8 + Buffer.byteLength(debug));
  writeUint32(payload, 0, lastStreamId);
  writeUint32(payload, 4, ERROR_CODES[code]);
  payload.write(debug, 8);
  return frameOf(FRAME.GOAWAY, 0, 0, payload);
}

/** One frame with a copy of `payload`, which has at most FRAME_PAYLOAD_BYTES_MAX bytes. */
export function frameOf(type: number, flags: number, streamId: number, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + payload.length);
  writeFrameHeader(frame, 0, payload.length, type, flags, streamId);
  frame.set(payload, FRAME_HEADER_BYTES);
  return frame;
}
