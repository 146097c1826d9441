import { PREFIX_BYTES } from "../transport.ts";

/** Room that is made for a message whose first bytes came; it doubles as more of it comes. */
const FIRST_ROOM_BYTES = 4096;
/** So much of a message is looked at before more of it is taken, and twice as much each time after that. */
const LOOKED_AT_BYTES = 32 * 1024;

/** Bytes that are no message that this server takes. `code` is the gRPC status that says so. */
export class GrpcFrameError extends Error {
  override readonly name = "GrpcFrameError";
  readonly code: "UNIMPLEMENTED" | "INTERNAL" | "RESOURCE_EXHAUSTED";

  constructor(code: GrpcFrameError["code"], message: string) {
    super(message);
    this.code = code;
  }
}

/** Says how a message of `length` bytes, of which `beginning` has come, is too large; undefined where it is not. */
export type FindExcess = (beginning: Uint8Array, length: number) => string | undefined;

/**
 * Takes the bytes of one stream, however they are split, and gives whole messages. What is kept of an unfinished message
 * grows with what has come of it, not with the length that it claims. Follows "Length-Prefixed-Message" of the gRPC over
 * HTTP/2 specification.
 */
export class GrpcFrameReader {
  readonly #bytesMax: number;
  readonly #onMessage: (message: Uint8Array) => void;
  readonly #findExcess: FindExcess;
  /** Of a prefix that is cut by the end of a chunk; most connections never see one. */
  #prefix: Uint8Array | undefined;
  #prefixLength = 0;
  #length = 0;
  #body: Uint8Array | undefined;
  #bodyLength = 0;
  #isStopped = false;

  /** `onMessage` gets a message without its prefix, valid during the call; `bytesMax` is the length of the longest. */
  constructor(bytesMax: number, onMessage: (message: Uint8Array) => void, findExcess: FindExcess) {
    this.#bytesMax = bytesMax;
    this.#onMessage = onMessage;
    this.#findExcess = findExcess;
  }

  /** Whether a message has begun and not ended. */
  get isWithinMessage(): boolean {
    return this.#prefixLength > 0;
  }

  /** Takes no more bytes; what is unfinished is dropped. */
  stop(): void {
    this.#isStopped = true;
    this.#body = undefined;
  }

  /** Throws {@link GrpcFrameError}; the stream cannot go on then. */
  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length && !this.#isStopped) {
      if (this.#prefixLength === 0 && chunk.length - at >= PREFIX_BYTES) {
        // Nearly always: an acknowledgement is one chunk.
        this.#prefixLength = PREFIX_BYTES;
        this.#begin(chunk, at);
        at += PREFIX_BYTES;
      } else if (this.#prefixLength < PREFIX_BYTES) {
        this.#prefix ??= new Uint8Array(PREFIX_BYTES);
        this.#prefix[this.#prefixLength++] = chunk[at++] as number;
        if (this.#prefixLength < PREFIX_BYTES) continue;
        this.#begin(this.#prefix, 0);
      }
      at = this.#take(chunk, at);
    }
  }

  #begin(prefix: Uint8Array, at: number): void {
    const flag = prefix[at];
    if (flag === 1) this.#refuse("UNIMPLEMENTED", "compressed messages are not taken");
    if (flag !== 0) this.#refuse("INTERNAL", `a message begins with the byte ${flag}; expected 0`);
    const [a, b, c, d] = [prefix[at + 1], prefix[at + 2], prefix[at + 3], prefix[at + 4]] as [
      number,
      number,
      number,
      number,
    ];
    this.#length = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
    if (this.#length > this.#bytesMax) {
      const most = this.#bytesMax;
      this.#refuse(
        "RESOURCE_EXHAUSTED",
        `a message of ${this.#length} bytes is longer than the ${most} that are taken`,
      );
    }
  }

  #refuse(code: GrpcFrameError["code"], message: string): never {
    this.stop();
    throw new GrpcFrameError(code, message);
  }

  /** Takes what `chunk` holds of the message from `at` on; returns where that ends. */
  #take(chunk: Uint8Array, at: number): number {
    const end = Math.min(chunk.length, at + this.#length - this.#bodyLength);
    if (this.#bodyLength === 0 && end - at === this.#length) {
      this.#give(chunk.subarray(at, end));
      return end;
    }
    this.#keep(chunk.subarray(at, end));
    if (this.#bodyLength === this.#length) this.#give(this.#body?.subarray(0, this.#length) ?? new Uint8Array());
    return end;
  }

  #keep(part: Uint8Array): void {
    const needed = this.#bodyLength + part.length;
    if (this.#body === undefined || this.#body.length < needed) {
      // Megabytes that are kept to be refused cost collections of the whole heap, which everybody waits for.
      if (this.#bodyLength >= LOOKED_AT_BYTES) this.#refuseExcess();
      const room = Math.min(this.#length, Math.max(FIRST_ROOM_BYTES, needed, (this.#body?.length ?? 0) * 2));
      const grown = new Uint8Array(room);
      if (this.#body !== undefined) grown.set(this.#body.subarray(0, this.#bodyLength));
      this.#body = grown;
    }
    this.#body.set(part, this.#bodyLength);
    this.#bodyLength = needed;
  }

  #refuseExcess(): void {
    const beginning = this.#body?.subarray(0, this.#bodyLength) ?? new Uint8Array();
    const excess = this.#findExcess(beginning, this.#length);
    if (excess !== undefined) this.#refuse("RESOURCE_EXHAUSTED", excess);
  }

  #give(message: Uint8Array): void {
    this.#prefixLength = 0;
    this.#bodyLength = 0;
    this.#body = undefined;
    this.#onMessage(message);
  }
}
