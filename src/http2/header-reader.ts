import { Http2Error, protocolError } from "./errors.ts";
import { FLAG, FRAME_PAYLOAD_BYTES_MAX, readUint31 } from "./frames.ts";
import { HpackDecoder, type ReceivedHeaders } from "./hpack-decoder.ts";

/** Frames that one header block may be spread over: a client needs one for each 16 KiB. */
const PARTS_MAX = 16;

/** A header list that has come on a stream. */
export interface HeaderFrame {
  readonly streamId: number;
  /** The client ends its side with it. */
  readonly isLast: boolean;
  /** It says that its stream depends on itself (RFC 7540 section 5.3.1). */
  readonly dependsOnItself: boolean;
  readonly headers: ReceivedHeaders;
}

type Opening = Omit<HeaderFrame, "headers">;

/** Puts HEADERS and CONTINUATION frames together and decodes them: all of them, for a block builds on those before it. */
export class HeaderReader {
  readonly #decoder: HpackDecoder;
  readonly #blockBytesMax: number;
  #opening: Opening | undefined;
  #parts: Uint8Array[] = [];
  #bytes = 0;

  constructor(headerListBytesMax: number) {
    this.#decoder = new HpackDecoder(headerListBytesMax);
    this.#blockBytesMax = Math.max(headerListBytesMax, FRAME_PAYLOAD_BYTES_MAX);
  }

  /** The stream whose header block is not whole yet; 0 for none. */
  get openStreamId(): number {
    return this.#opening?.streamId ?? 0;
  }

  /** Takes the payload of a HEADERS frame. Undefined: the block goes on. */
  begin(flags: number, streamId: number, bytes: Uint8Array, start: number, end: number) {
    const isPadded = (flags & FLAG.PADDED) !== 0;
    const hasPriority = (flags & FLAG.PRIORITY) !== 0;
    const priorityAt = start + (isPadded ? 1 : 0);
    const from = priorityAt + (hasPriority ? 5 : 0);
    if (from > end) return new Http2Error("FRAME_SIZE_ERROR", `HEADERS of ${end - start} bytes`);
    const to = end - (isPadded ? (bytes[start] as number) : 0);
    if (to < from) return protocolError("HEADERS with more padding than there is");
    const isLast = (flags & FLAG.END_STREAM) !== 0;
    const dependsOnItself = hasPriority && readUint31(bytes, priorityAt) === streamId;
    const opening: Opening = { streamId, isLast, dependsOnItself };
    if (flags & FLAG.END_HEADERS) return this.#decode(opening, bytes, from, to);
    this.#opening = opening;
    return this.#add(bytes, from, to);
  }

  /** Takes the payload of a CONTINUATION frame. Undefined: the block goes on. */
  continue(flags: number, bytes: Uint8Array, start: number, end: number) {
    const opening = this.#opening;
    if (!opening) return protocolError("CONTINUATION of no header block");
    const wrong = this.#add(bytes, start, end);
    if (wrong || (flags & FLAG.END_HEADERS) === 0) return wrong;
    const whole = Buffer.concat(this.#parts);
    this.#opening = undefined;
    this.#parts = [];
    this.#bytes = 0;
    return this.#decode(opening, whole, 0, whole.length);
  }

  #add(bytes: Uint8Array, start: number, end: number): Http2Error | undefined {
    this.#bytes += end - start;
    // In memory of its own, for the rest may never come.
    this.#parts.push(new Uint8Array(bytes.subarray(start, end)));
    if (this.#bytes <= this.#blockBytesMax && this.#parts.length <= PARTS_MAX) return undefined;
    return new Http2Error(
      "ENHANCE_YOUR_CALM",
      `a header block of ${this.#bytes} bytes in ${this.#parts.length} frames`,
    );
  }

  #decode(opening: Opening, bytes: Uint8Array, from: number, to: number): HeaderFrame | Http2Error {
    try {
      return { ...opening, headers: this.#decoder.decode(bytes, from, to) };
    } catch (error) {
      if (error instanceof Http2Error) return error;
      throw error;
    }
  }
}
