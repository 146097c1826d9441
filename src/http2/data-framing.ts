import { FRAME, FRAME_HEADER_BYTES, FRAME_PAYLOAD_BYTES_MAX, writeFrameHeader } from "./frames.ts";

/** The stream that clients open first, and xDS clients only. */
const FIRST_STREAM = 1;

/**
 * Puts messages into DATA frames. One object serves all connections of a server: what goes to stream 1 of many of them as
 * the same buffer is framed once and written as one buffer. What was framed lives as long as the buffer that it is of.
 */
export class DataFraming {
  readonly #framed = new WeakMap<Uint8Array, Buffer>();

  /** Writes `bytes`, of whatever length, as DATA frames of stream `id`. */
  write(bytes: Uint8Array, id: number, write: (bytes: Uint8Array) => void): void {
    if (id === FIRST_STREAM) {
      let framed = this.#framed.get(bytes);
      if (!framed) {
        framed = frameFirst(bytes);
        this.#framed.set(bytes, framed);
      }
      write(framed);
      return;
    }
    for (let at = 0; at < bytes.length; at += FRAME_PAYLOAD_BYTES_MAX) {
      this.writePart(bytes, at, Math.min(FRAME_PAYLOAD_BYTES_MAX, bytes.length - at), id, write);
    }
  }

  /** Writes `length` bytes from `at`, which fit one frame. */
  writePart(bytes: Uint8Array, at: number, length: number, id: number, write: (bytes: Uint8Array) => void): void {
    const header = Buffer.allocUnsafe(FRAME_HEADER_BYTES);
    writeFrameHeader(header, 0, length, FRAME.DATA, 0, id);
    write(header);
    write(at === 0 && length === bytes.length ? bytes : bytes.subarray(at, at + length));
  }
}

function frameFirst(bytes: Uint8Array): Buffer {
  const frames = Math.ceil(bytes.length / FRAME_PAYLOAD_BYTES_MAX);
  // In memory of its own: it outlives its turn, and a small buffer of Node's pool keeps 64 KiB alive with it.
  const framed = Buffer.allocUnsafeSlow(bytes.length + frames * FRAME_HEADER_BYTES);
  let to = 0;
  for (let at = 0; at < bytes.length; at += FRAME_PAYLOAD_BYTES_MAX) {
    const length = Math.min(FRAME_PAYLOAD_BYTES_MAX, bytes.length - at);
    writeFrameHeader(framed, to, length, FRAME.DATA, 0, FIRST_STREAM);
    framed.set(bytes.subarray(at, at + length), to + FRAME_HEADER_BYTES);
    to += FRAME_HEADER_BYTES + length;
  }
  return framed;
}
