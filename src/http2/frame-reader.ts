import { FRAME_HEADER_BYTES, FRAME_PAYLOAD_BYTES_MAX } from "./frames.ts";

/** What a reader gives its frames to. */
export interface FrameSink {
  /** The payload is `bytes` from `start` to `end`, valid during the call only. False: read no more. */
  frame(type: number, flags: number, streamId: number, bytes: Uint8Array, start: number, end: number): boolean;
  /** A frame says that it is longer than any may be. */
  oversize(length: number): void;
}

/** Where a frame that is not whole yet begins to be kept; it grows to the frame's length at most. */
const KEPT_BYTES_MIN = 256;

/**
 * Cuts a connection's bytes into frames. A frame that is whole in its chunk is not copied; of one that is not, what has
 * come is kept: 16 KiB at most.
 */
export class FrameReader {
  readonly #sink: FrameSink;
  #kept: Buffer | undefined;
  #keptBytes = 0;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  read(chunk: Uint8Array, from: number): void {
    let at = from;
    if (this.#kept) {
      at = this.#completeKept(this.#kept, chunk, from);
      if (at < 0) return;
    }
    while (chunk.length - at >= FRAME_HEADER_BYTES) {
      const length = lengthAt(chunk, at);
      if (length > FRAME_PAYLOAD_BYTES_MAX) {
        this.#sink.oversize(length);
        return;
      }
      const end = at + FRAME_HEADER_BYTES + length;
      if (end > chunk.length) break;
      if (!this.#give(chunk, at, end)) return;
      at = end;
    }
    if (at < chunk.length) this.#keep(chunk, at);
  }

  #give(bytes: Uint8Array, at: number, end: number): boolean {
    const streamId =
      (((bytes[at + 5] as number) & 0x7f) << 24) |
      ((bytes[at + 6] as number) << 16) |
      ((bytes[at + 7] as number) << 8) |
      (bytes[at + 8] as number);
    const start = at + FRAME_HEADER_BYTES;
    return this.#sink.frame(bytes[at + 3] as number, bytes[at + 4] as number, streamId, bytes, start, end);
  }

  #keep(chunk: Uint8Array, at: number): void {
    const bytes = chunk.length - at;
    // In memory of its own: the rest may never come, and a part of Node's pool would keep all of it alive.
    this.#kept = Buffer.allocUnsafeSlow(Math.max(KEPT_BYTES_MIN, bytes));
    this.#kept.set(at === 0 ? chunk : chunk.subarray(at));
    this.#keptBytes = bytes;
  }

  /** Adds to the kept frame; where the chunk goes on after it, below 0 when there is nothing more to read now. */
  #completeKept(kept: Buffer, chunk: Uint8Array, from: number): number {
    let at = from;
    while (this.#keptBytes < FRAME_HEADER_BYTES) {
      if (at >= chunk.length) return -1;
      kept[this.#keptBytes++] = chunk[at++] as number;
    }
    const length = lengthAt(kept, 0);
    if (length > FRAME_PAYLOAD_BYTES_MAX) {
      this.#sink.oversize(length);
      return -1;
    }
    const frameBytes = FRAME_HEADER_BYTES + length;
    const bytes = Math.min(frameBytes - this.#keptBytes, chunk.length - at);
    const target = this.#roomFor(kept, this.#keptBytes + bytes, frameBytes);
    target.set(chunk.subarray(at, at + bytes), this.#keptBytes);
    this.#keptBytes += bytes;
    if (this.#keptBytes < frameBytes) return -1;
    this.#kept = undefined;
    this.#keptBytes = 0;
    return this.#give(target, 0, frameBytes) ? at + bytes : -1;
  }

  /** Doubles, so that a frame that comes byte by byte is not copied for each. */
  #roomFor(kept: Buffer, needed: number, frameBytes: number): Buffer {
    if (needed <= kept.length) return kept;
    const larger = Buffer.allocUnsafeSlow(Math.min(frameBytes, Math.max(needed, kept.length * 2)));
    larger.set(kept.subarray(0, this.#keptBytes));
    this.#kept = larger;
    return larger;
  }
}

function lengthAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
}
