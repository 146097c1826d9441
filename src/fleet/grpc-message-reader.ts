import type { MessageBuffers } from "./http2-buffers.ts";
import { GRPC_PREFIX_BYTES } from "./http2-frames.ts";
import { PeerError } from "./peer-error.ts";

const MESSAGE_BYTES_MAX = 256 * 1024 * 1024;
const UNSEEN_BYTES_MAX = 512 * 1024;

/** Puts gRPC messages together out of the payload of DATA frames. One that arrives in one piece is not copied. */
export class GrpcMessageReader {
  readonly #buffers: MessageBuffers;
  readonly #taken: (message: Buffer) => void;
  /** The beginning of a message, shorter than its prefix. */
  #prefix: Buffer | undefined;
  #message: Buffer | undefined;
  #length = 0;
  #filled = 0;

  /** What `taken` gets is its own only during the call. */
  constructor(buffers: MessageBuffers, taken: (message: Buffer) => void) {
    this.#buffers = buffers;
    this.#taken = taken;
  }

  /** Reads a message, or the part of it that lies before `end`. Where it ends. Throws `PeerError`. */
  read(bytes: Buffer, from: number, end: number): number {
    if (this.#message !== undefined) return this.#fill(this.#message, bytes, from, end);
    const begun = this.#prefix;
    const missing = GRPC_PREFIX_BYTES - (begun?.length ?? 0);
    if (end - from < missing) {
      const part = bytes.subarray(from, end);
      this.#prefix = begun === undefined ? Buffer.from(part) : Buffer.concat([begun, part]);
      return end;
    }
    const at = from + missing;
    let length: number;
    if (begun === undefined) length = messageLength(bytes, from);
    else {
      length = messageLength(Buffer.concat([begun, bytes.subarray(from, at)]), 0);
      this.#prefix = undefined;
    }
    if (end - at >= length) {
      this.#taken(bytes.subarray(at, at + length));
      return at + length;
    }
    // Beyond this it grows with what arrives: a length alone must not take much memory.
    const message = this.#buffers.take(Math.min(length, UNSEEN_BYTES_MAX));
    this.#message = message;
    this.#length = length;
    this.#filled = 0;
    return this.#fill(message, bytes, at, end);
  }

  #fill(begun: Buffer, bytes: Buffer, at: number, end: number): number {
    let message = begun;
    const count = Math.min(this.#length - this.#filled, end - at);
    if (this.#filled + count > message.length) {
      const size = Math.min(this.#length, Math.max(message.length * 4, this.#filled + count));
      const larger = this.#buffers.take(size);
      larger.set(message.subarray(0, this.#filled));
      this.#buffers.give(message);
      message = larger;
      this.#message = larger;
    }
    bytes.copy(message, this.#filled, at, at + count);
    this.#filled += count;
    if (this.#filled === this.#length) {
      this.#message = undefined;
      this.#taken(message.subarray(0, this.#length));
      this.#buffers.give(message);
    }
    return at + count;
  }
}

function messageLength(bytes: Buffer, at: number): number {
  if (bytes[at] !== 0) throw new PeerError("a compressed gRPC message, which was not offered");
  const length = bytes.readUInt32BE(at + 1);
  if (length > MESSAGE_BYTES_MAX) throw new PeerError(`a gRPC message of ${length} bytes`);
  return length;
}
