import { decodeHeaders, HpackError } from "./hpack.ts";
import type { MessageBuffers } from "./http2-buffers.ts";
import {
  FLAG,
  FRAME,
  FRAME_BYTES_MAX,
  FRAME_HEADER_BYTES,
  frame,
  GRPC_PREFIX_BYTES,
  INITIAL_WINDOW,
  RECEIVE_WINDOW,
  SETTING,
  STREAM,
  windowUpdate,
} from "./http2-frames.ts";

/** What a peer did that no HTTP/2 or gRPC server may do. The connection is of no more use. */
export class PeerError extends Error {
  override readonly name = "PeerError";
  readonly code = "protocol";
}

/** How the call ended, or the connection that carried it. */
export interface CallEnd {
  /** `grpc-status-0`, `http-status-503`, `rst-stream-8`, `goaway-11`. */
  readonly kind: string;
  readonly message: string;
}

export interface ClientCallEvents {
  /** To be sent, in this order; what is written during one `receive` may go out together. */
  write(bytes: Buffer): void;
  /** The bytes are the caller's only during the call. */
  message(bytes: Buffer): void;
  /** At most once. */
  ended(end: CallEnd): void;
}

const MESSAGE_BYTES_MAX = 256 * 1024 * 1024;
const HEADER_BYTES_MAX = 256 * 1024;
const UNSENT_FRAMES_MAX = 4096;
const UNSEEN_BYTES_MAX = 512 * 1024;

/**
 * One gRPC call on one HTTP/2 connection, seen from the client, without the socket (RFC 9113, and gRPC over HTTP/2). Made for
 * thousands in a process: a message that arrives in one piece is not copied.
 */
export class Http2Client {
  readonly #events: ClientCallEvents;
  readonly #buffers: MessageBuffers;
  /** A frame, or the beginning of one, that has not arrived whole; never payload of DATA. */
  #rest: Buffer | undefined;
  /** Of the DATA frame that is being read. */
  #dataLeft = 0;
  #paddingLeft = 0;
  #endsWithFrame = false;
  /** The beginning of a gRPC message. */
  #prefix: Buffer | undefined;
  #message: Buffer | undefined;
  #messageLength = 0;
  #messageFilled = 0;
  /** The beginning of a header block that goes on in CONTINUATION frames. */
  #block: Buffer[] | undefined;
  #blockEndsStream = false;
  #hasSettings = false;
  #status = "";
  #isEnded = false;
  #unread = 0;
  #connectionWindow = INITIAL_WINDOW;
  #streamWindow = INITIAL_WINDOW;
  #initialWindow = INITIAL_WINDOW;
  #unsent: Buffer[] = [];

  constructor(events: ClientCallEvents, buffers: MessageBuffers) {
    this.#events = events;
    this.#buffers = buffers;
  }

  /** Sends DATA frames as soon as the peer takes them. They may be shared by many connections. */
  send(frames: readonly Buffer[] | Buffer): void {
    if (Buffer.isBuffer(frames)) this.#sendFrame(frames);
    else for (const each of frames) this.#sendFrame(each);
  }

  /** Takes what the peer sent. Throws `PeerError`; the bytes are the caller's again afterwards. */
  receive(chunk: Buffer): void {
    const rest = this.#rest;
    this.#rest = undefined;
    const bytes = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (!this.#isEnded) {
      if (this.#dataLeft > 0 || this.#paddingLeft > 0) {
        at = this.#readData(bytes, at);
        if (at === bytes.length) break;
      }
      const next = this.#readFrame(bytes, at);
      if (next === at) break;
      at = next;
    }
    if (at < bytes.length && !this.#isEnded) this.#rest = Buffer.from(bytes.subarray(at));
  }

  /** Reads a frame, of DATA the header alone. Where it ends; `at` when it is not here yet. */
  #readFrame(bytes: Buffer, at: number): number {
    if (bytes.length - at < FRAME_HEADER_BYTES) return at;
    const length = bytes.readUIntBE(at, 3);
    const type = bytes[at + 3] ?? 0;
    const flags = bytes[at + 4] ?? 0;
    const stream = bytes.readUInt32BE(at + 5) & 0x7fff_ffff;
    if (!this.#hasSettings && (type !== FRAME.settings || flags & FLAG.ack)) {
      throw new PeerError(`the first frame of a server is SETTINGS, found ${printableBytes(bytes.subarray(at))}`);
    }
    if (length > FRAME_BYTES_MAX) throw new PeerError(`a frame of ${length} bytes, ${FRAME_BYTES_MAX} are allowed`);
    if (this.#block !== undefined && type !== FRAME.continuation) {
      throw new PeerError(`a frame of type ${type} in the middle of a header block`);
    }
    const start = at + FRAME_HEADER_BYTES;
    if (type === FRAME.data) {
      const isPadded = (flags & FLAG.padded) !== 0;
      if (isPadded && bytes.length === start) return at;
      this.#beginData(length, flags, stream, isPadded ? (bytes[start] ?? 0) : undefined);
      return isPadded ? start + 1 : start;
    }
    if (bytes.length - start < length) return at;
    this.#hasSettings = true;
    this.#takeFrame(type, flags, stream, bytes.subarray(start, start + length));
    return start + length;
  }

  #beginData(length: number, flags: number, stream: number, padding: number | undefined): void {
    if (stream !== STREAM) throw new PeerError(`DATA on stream ${stream}, which was not opened`);
    const overhead = padding === undefined ? 0 : padding + 1;
    if (overhead > length) throw new PeerError("DATA with more padding than payload");
    this.#dataLeft = length - overhead;
    this.#paddingLeft = padding ?? 0;
    this.#endsWithFrame = (flags & FLAG.endStream) !== 0;
    this.#unread += length;
    if (this.#unread > RECEIVE_WINDOW / 2) {
      for (const each of [0, STREAM]) this.#events.write(windowUpdate(each, this.#unread));
      this.#unread = 0;
    }
    if (length === overhead && this.#paddingLeft === 0) this.#endFrame();
  }

  #readData(bytes: Buffer, from: number): number {
    let at = from;
    const data = Math.min(this.#dataLeft, bytes.length - at);
    this.#dataLeft -= data;
    const end = at + data;
    while (at < end && !this.#isEnded) at = this.#readMessage(bytes, at, end);
    at = end;
    const padding = Math.min(this.#paddingLeft, bytes.length - at);
    this.#paddingLeft -= padding;
    if (this.#dataLeft === 0 && this.#paddingLeft === 0) this.#endFrame();
    return at + padding;
  }

  #endFrame(): void {
    if (this.#endsWithFrame) this.#end({ kind: "grpc-no-status", message: "the stream ended without a gRPC status" });
  }

  /** Reads a gRPC message, or the part of it that lies before `end`. Where it ends. */
  #readMessage(bytes: Buffer, from: number, end: number): number {
    let at = from;
    if (this.#message === undefined) {
      const prefix = this.#prefix === undefined ? undefined : Buffer.concat([this.#prefix, bytes.subarray(at, end)]);
      const head = prefix ?? bytes.subarray(at, end);
      if (head.length < GRPC_PREFIX_BYTES) {
        this.#prefix = Buffer.from(head);
        return end;
      }
      at += GRPC_PREFIX_BYTES - (this.#prefix?.length ?? 0);
      this.#prefix = undefined;
      if (head[0] !== 0) throw new PeerError("a compressed gRPC message, which was not offered");
      const length = head.readUInt32BE(1);
      if (length > MESSAGE_BYTES_MAX) throw new PeerError(`a gRPC message of ${length} bytes`);
      if (end - at >= length) {
        this.#events.message(bytes.subarray(at, at + length));
        return at + length;
      }
      // Beyond this it grows with what arrives: a length alone must not take much memory.
      this.#message = this.#buffers.take(Math.min(length, UNSEEN_BYTES_MAX));
      this.#messageLength = length;
      this.#messageFilled = 0;
    }
    return this.#fillMessage(this.#message, bytes, at, end);
  }

  #fillMessage(begun: Buffer, bytes: Buffer, at: number, end: number): number {
    let message = begun;
    const count = Math.min(this.#messageLength - this.#messageFilled, end - at);
    if (this.#messageFilled + count > message.length) {
      const size = Math.min(this.#messageLength, Math.max(message.length * 4, this.#messageFilled + count));
      const larger = this.#buffers.take(size);
      larger.set(message.subarray(0, this.#messageFilled));
      this.#buffers.give(message);
      message = larger;
      this.#message = larger;
    }
    bytes.copy(message, this.#messageFilled, at, at + count);
    this.#messageFilled += count;
    if (this.#messageFilled === this.#messageLength) {
      this.#message = undefined;
      this.#events.message(message.subarray(0, this.#messageLength));
      this.#buffers.give(message);
    }
    return at + count;
  }

  #takeFrame(type: number, flags: number, stream: number, payload: Buffer): void {
    switch (type) {
      case FRAME.headers:
        this.#takeHeaders(flags, stream, payload);
        break;
      case FRAME.continuation:
        this.#takeContinuation(flags, payload);
        break;
      case FRAME.settings:
        this.#takeSettings(flags, payload);
        break;
      case FRAME.ping:
        expectLength(payload, 8, "PING");
        if (!(flags & FLAG.ack)) this.#events.write(frame(FRAME.ping, FLAG.ack, 0, payload));
        break;
      case FRAME.windowUpdate:
        this.#takeWindowUpdate(stream, payload);
        break;
      case FRAME.rstStream: {
        expectLength(payload, 4, "RST_STREAM");
        const code = payload.readUInt32BE();
        this.#end({ kind: `rst-stream-${code}`, message: `the server reset the stream with code ${code}` });
        break;
      }
      case FRAME.goAway:
        this.#takeGoAway(payload);
        break;
      case FRAME.pushPromise:
        throw new PeerError("PUSH_PROMISE, which was not allowed");
      // Of types that are not known a client makes nothing (section 4.1).
    }
  }

  #takeHeaders(flags: number, stream: number, payload: Buffer): void {
    if (stream !== STREAM) throw new PeerError(`HEADERS on stream ${stream}, which was not opened`);
    let start = 0;
    let end = payload.length;
    if (flags & FLAG.padded) {
      start = 1;
      end -= payload[0] ?? 0;
    }
    if (flags & FLAG.priority) start += 5;
    if (start > end) throw new PeerError("HEADERS with more padding than payload");
    this.#blockEndsStream = (flags & FLAG.endStream) !== 0;
    this.#block = [Buffer.from(payload.subarray(start, end))];
    if (flags & FLAG.endHeaders) this.#endBlock();
  }

  #takeContinuation(flags: number, payload: Buffer): void {
    if (this.#block === undefined) throw new PeerError("CONTINUATION of nothing");
    this.#block.push(Buffer.from(payload));
    const size = this.#block.reduce((sum, part) => sum + part.length, 0);
    if (size > HEADER_BYTES_MAX || this.#block.length > 64)
      throw new PeerError(`a header block of ${size} bytes and more`);
    if (flags & FLAG.endHeaders) this.#endBlock();
  }

  #endBlock(): void {
    const block = Buffer.concat(this.#block ?? []);
    this.#block = undefined;
    let headers: ReadonlyMap<string, string>;
    try {
      headers = decodeHeaders(block);
    } catch (error) {
      if (error instanceof HpackError) throw new PeerError(error.message);
      throw error;
    }
    const status = headers.get(":status");
    if (status !== undefined) this.#status = status;
    const grpcStatus = headers.get("grpc-status");
    if (this.#blockEndsStream || grpcStatus !== undefined) {
      const message = decodePercent(headers.get("grpc-message") ?? `gRPC status ${grpcStatus}, with no words`);
      if (grpcStatus !== undefined) this.#end({ kind: `grpc-status-${grpcStatus}`, message });
      else this.#end({ kind: `http-status-${this.#status}`, message: `HTTP status ${this.#status}, no gRPC status` });
    } else if (!/^[12]\d\d$/.test(this.#status)) {
      this.#end({ kind: `http-status-${this.#status}`, message: `HTTP status ${this.#status}` });
    }
  }

  #takeSettings(flags: number, payload: Buffer): void {
    if (flags & FLAG.ack) return;
    if (payload.length % 6 !== 0) throw new PeerError(`SETTINGS of ${payload.length} bytes`);
    for (let at = 0; at < payload.length; at += 6) {
      const value = payload.readUInt32BE(at + 2);
      if (payload.readUInt16BE(at) !== SETTING.initialWindowSize) continue;
      if (value > 0x7fff_ffff) throw new PeerError(`an initial window of ${value} bytes`);
      this.#streamWindow += value - this.#initialWindow;
      this.#initialWindow = value;
    }
    this.#events.write(frame(FRAME.settings, FLAG.ack, 0, Buffer.alloc(0)));
    this.#pump();
  }

  #takeWindowUpdate(stream: number, payload: Buffer): void {
    expectLength(payload, 4, "WINDOW_UPDATE");
    const increment = payload.readUInt32BE() & 0x7fff_ffff;
    if (increment === 0) throw new PeerError("WINDOW_UPDATE of 0 bytes");
    if (stream === 0) this.#connectionWindow += increment;
    else if (stream === STREAM) this.#streamWindow += increment;
    if (Math.max(this.#connectionWindow, this.#streamWindow) > 0x7fff_ffff) {
      throw new PeerError("WINDOW_UPDATE beyond 2^31 - 1 bytes");
    }
    this.#pump();
  }

  /** A server that drains says that it takes no further streams; the one that is open goes on. */
  #takeGoAway(payload: Buffer): void {
    if (payload.length < 8) throw new PeerError(`GOAWAY of ${payload.length} bytes`);
    const last = payload.readUInt32BE() & 0x7fff_ffff;
    const code = payload.readUInt32BE(4);
    if (last >= STREAM && code === 0) return;
    const words = printableBytes(payload.subarray(8));
    this.#end({ kind: `goaway-${code}`, message: `GOAWAY with code ${code}: ${words}` });
  }

  #sendFrame(bytes: Buffer): void {
    const length = bytes.length - FRAME_HEADER_BYTES;
    if (this.#unsent.length === 0 && length <= this.#connectionWindow && length <= this.#streamWindow) {
      this.#connectionWindow -= length;
      this.#streamWindow -= length;
      this.#events.write(bytes);
      return;
    }
    if (this.#unsent.length >= UNSENT_FRAMES_MAX) {
      throw new PeerError(`the peer opens no window: ${UNSENT_FRAMES_MAX} frames wait to be sent`);
    }
    this.#unsent.push(bytes);
    this.#pump();
  }

  #pump(): void {
    for (let first = this.#unsent[0]; first !== undefined; first = this.#unsent[0]) {
      const length = first.length - FRAME_HEADER_BYTES;
      const window = Math.min(this.#connectionWindow, this.#streamWindow);
      if (window <= 0) return;
      const count = Math.min(length, window);
      const payload = first.subarray(FRAME_HEADER_BYTES);
      this.#connectionWindow -= count;
      this.#streamWindow -= count;
      if (count === length) {
        this.#unsent.shift();
        this.#events.write(first);
      } else {
        this.#unsent[0] = frame(FRAME.data, 0, STREAM, payload.subarray(count));
        this.#events.write(frame(FRAME.data, 0, STREAM, payload.subarray(0, count)));
      }
    }
  }

  #end(end: CallEnd): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#events.ended(end);
  }
}

function expectLength(payload: Buffer, length: number, what: string): void {
  if (payload.length !== length) throw new PeerError(`${what} of ${payload.length} bytes, expected ${length}`);
}

/** Bytes of a peer as a person can read them: short, and without control characters. */
function printableBytes(bytes: Buffer): string {
  return JSON.stringify(
    bytes
      .subarray(0, 48)
      .toString("latin1")
      .replace(/[^ -~]/g, "."),
  );
}

/** `grpc-message` has its bytes beyond ASCII as %XX. */
function decodePercent(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A server that does not encode as gRPC says: its words as they are.
    return text;
  }
}
