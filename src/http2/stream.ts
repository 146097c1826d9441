import { invariant } from "../lib/mod.ts";
import type { ConnectionOutput } from "./connection-output.ts";
import { Http2Error, type Http2ErrorCode, protocolError } from "./errors.ts";
import { FRAME_PAYLOAD_BYTES_MAX, resetFrame, WINDOW_BYTES_MAX } from "./frames.ts";
import type { HeaderList } from "./hpack-encoder.ts";
import type { ReceiveWindow } from "./receive-window.ts";

/** What a connection tells about one stream. Calls come from within `receive`, and `closed` from any call that ends it. */
export interface Http2StreamHandler {
  /** Bytes of the body, never none; valid during the call only. One DATA frame that came in one chunk is one call. */
  data(bytes: Uint8Array): void;
  /** The client has ended its side. */
  end(): void;
  /** All that `sendData` kept is out. */
  drained(): void;
  /** The stream is over, whoever ended it. Called once, as the last. */
  closed(): void;
}

/** Our side of a stream. Once it is over, every call does nothing. */
export interface Http2Stream {
  readonly id: number;
  /** Sends the headers of the response, which begin with `:status`. */
  respond(headers: HeaderList): void;
  /**
   * Sends `bytes`, which must not change afterwards, and may be one buffer for many streams. What the peer's windows do
   * not take now is kept by reference; false then, until `drained`. Who goes on in spite of it makes the queue longer.
   */
  sendData(bytes: Uint8Array): boolean;
  /**
   * Ends the stream after all that was sent: with trailers, or, before `respond`, with headers alone. A client that has
   * not ended its side is told to stop (RST_STREAM with NO_ERROR).
   */
  trailers(headers: HeaderList): void;
  /** Ends the stream now; what was kept is dropped. */
  reset(code: Http2ErrorCode): void;
}

export class ServerStream implements Http2Stream {
  readonly id: number;
  readonly receiveWindow: ReceiveWindow;
  handler: Http2StreamHandler | undefined;
  /** Neither side has reset it, nor have we ended it. */
  isOpen = true;
  isRemoteOpen = true;
  /** What the body still has to bring, where the client said how long it is. */
  bodyBytesLeft: number | undefined;
  /** What the peer takes; below 0 after it made its windows smaller. */
  sendWindow: number;
  readonly #output: ConnectionOutput;
  readonly #onOver: (stream: ServerStream, wasResetByUs: boolean) => void;
  #hasResponded = false;
  /** What the windows did not take; `#sentOfFirst` bytes of the first are out. */
  #waiting: Uint8Array[] = [];
  #sentOfFirst = 0;
  #trailers: HeaderList | undefined;

  constructor(
    id: number,
    receiveWindow: ReceiveWindow,
    output: ConnectionOutput,
    onOver: (stream: ServerStream, wasResetByUs: boolean) => void,
  ) {
    this.id = id;
    this.receiveWindow = receiveWindow;
    this.sendWindow = output.settings.initialWindowBytes;
    this.#output = output;
    this.#onOver = onOver;
  }

  respond(headers: HeaderList): void {
    if (!this.isOpen) return;
    invariant(!this.#hasResponded, "a stream is responded to once");
    this.#hasResponded = true;
    this.#output.writeHeaders(this.id, headers, false);
  }

  sendData(bytes: Uint8Array): boolean {
    if (!this.isOpen) return false;
    invariant(this.#hasResponded && !this.#trailers, "data goes between a response's headers and its trailers");
    const output = this.#output;
    const length = bytes.length;
    if (length === 0) return this.#waiting.length === 0;
    if (this.#waiting.length === 0 && length <= this.sendWindow && length <= output.window) {
      this.sendWindow -= length;
      output.window -= length;
      output.framing.write(bytes, this.id, output.write);
      output.budget.earnByMessage(length);
      return true;
    }
    this.#waiting.push(bytes);
    this.#sendWaiting();
    return this.#waiting.length === 0;
  }

  trailers(headers: HeaderList): void {
    if (!this.isOpen || this.#trailers) return;
    if (this.#waiting.length > 0) this.#trailers = headers;
    else this.#finish(headers);
  }

  reset(code: Http2ErrorCode): void {
    if (!this.isOpen) return;
    this.#output.write(resetFrame(this.id, code));
    this.over(true);
  }

  /** Counts the `length` bytes of body of a DATA frame; says what is wrong with it. */
  checkBody(length: number, isLast: boolean): Http2Error | undefined {
    if (!this.isRemoteOpen) return new Http2Error("STREAM_CLOSED", "DATA after the end of the stream");
    if (this.bodyBytesLeft === undefined) return undefined;
    this.bodyBytesLeft -= length;
    const isAsSaid = isLast ? this.bodyBytesLeft === 0 : this.bodyBytesLeft >= 0;
    return isAsSaid ? undefined : protocolError("a body that is not as long as content-length says");
  }

  /** The client has ended its side. */
  endRemote(): void {
    if (!this.isOpen) return;
    this.isRemoteOpen = false;
    this.handler?.end();
  }

  /** Makes the window larger or smaller. False: it would be larger than a window may be. */
  changeSendWindow(by: number): boolean {
    this.sendWindow += by;
    return this.sendWindow <= WINDOW_BYTES_MAX;
  }

  /** Sends what waits, after a window has grown. */
  resume(): void {
    if (!this.isOpen || this.#waiting.length === 0) return;
    this.#sendWaiting();
    if (this.#waiting.length > 0) return;
    if (this.#trailers) this.#finish(this.#trailers);
    else this.handler?.drained();
  }

  /** Ends it without a word to the peer. What it tells may end other streams, and these this one: it is over once. */
  over(wasResetByUs: boolean): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#waiting = [];
    this.#onOver(this, wasResetByUs);
  }

  #finish(headers: HeaderList): void {
    this.#output.writeHeaders(this.id, headers, true);
    if (this.isRemoteOpen) this.#output.write(resetFrame(this.id, "NO_ERROR"));
    this.over(this.isRemoteOpen);
  }

  #sendWaiting(): void {
    const output = this.#output;
    for (let first = this.#waiting[0]; first; first = this.#waiting[0]) {
      const left = first.length - this.#sentOfFirst;
      const length = Math.min(left, this.sendWindow, output.window, FRAME_PAYLOAD_BYTES_MAX);
      if (length <= 0) return;
      this.sendWindow -= length;
      output.window -= length;
      output.framing.writePart(first, this.#sentOfFirst, length, this.id, output.write);
      output.budget.earnByPart(length);
      this.#sentOfFirst += length;
      if (this.#sentOfFirst < first.length) continue;
      this.#waiting.shift();
      this.#sentOfFirst = 0;
    }
  }
}
