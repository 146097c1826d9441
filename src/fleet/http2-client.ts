import { GrpcMessageReader } from "./grpc-message-reader.ts";
import { decodeHeaders, HpackError } from "./hpack.ts";
import type { MessageBuffers } from "./http2-buffers.ts";
import {
  FLAG,
  FRAME,
  FRAME_BYTES_MAX,
  FRAME_HEADER_BYTES,
  frame,
  RECEIVE_WINDOW,
  SETTING,
  STREAM,
  windowUpdate,
} from "./http2-frames.ts";
import { SendWindow } from "./http2-send-window.ts";
import { PeerError } from "./peer-error.ts";

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

const HEADER_BYTES_MAX = 256 * 1024;

/**
 * One gRPC call on one HTTP/2 connection, seen from the client, without the socket (RFC 9113, and gRPC over HTTP/2). Made for
 * thousands in a process: a message that arrives in one piece is not copied.
 */
export class Http2Client {
  readonly #events: ClientCallEvents;
  readonly #messages: GrpcMessageReader;
  readonly #window: SendWindow;
  /** A frame, or the beginning of one, that has not arrived whole; never payload of DATA. */
  #rest: Buffer | undefined;
  /** Of the DATA frame that is being read. */
  #dataLeft = 0;
  #paddingLeft = 0;
  #endsWithFrame = false;
  /** The beginning of a header block that goes on in CONTINUATION frames. */
  #block: Buffer[] | undefined;
  #blockEndsStream = false;
  #hasSettings = false;
  #status = "";
  #isEnded = false;
  #unread = 0;

  constructor(events: ClientCallEvents, buffers: MessageBuffers) {
    this.#events = events;
    this.#messages = new GrpcMessageReader(buffers, (message) => events.message(message));
    this.#window = new SendWindow((bytes) => events.write(bytes));
  }

  /** Sends DATA frames as soon as the peer takes them. They may be shared by many connections. */
  send(frames: readonly Buffer[] | Buffer): void {
    if (Buffer.isBuffer(frames)) this.#window.send(frames);
    else for (const each of frames) this.#window.send(each);
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
    while (at < end && !this.#isEnded) at = this.#messages.read(bytes, at, end);
    at = end;
    const padding = Math.min(this.#paddingLeft, bytes.length - at);
    this.#paddingLeft -= padding;
    if (this.#dataLeft === 0 && this.#paddingLeft === 0) this.#endFrame();
    return at + padding;
  }

  #endFrame(): void {
    if (this.#endsWithFrame) this.#end({ kind: "grpc-no-status", message: "the stream ended without a gRPC status" });
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
    } else {
      // What a web server says would be read as a broken gRPC message.
      const type = headers.get("content-type") ?? "application/grpc";
      if (!type.startsWith("application/grpc")) throw new PeerError(`no gRPC but ${printableBytes(Buffer.from(type))}`);
    }
  }

  #takeSettings(flags: number, payload: Buffer): void {
    if (flags & FLAG.ack) return;
    if (payload.length % 6 !== 0) throw new PeerError(`SETTINGS of ${payload.length} bytes`);
    for (let at = 0; at < payload.length; at += 6) {
      const value = payload.readUInt32BE(at + 2);
      if (payload.readUInt16BE(at) !== SETTING.initialWindowSize) continue;
      this.#window.setInitial(value);
    }
    this.#events.write(frame(FRAME.settings, FLAG.ack, 0, Buffer.alloc(0)));
    this.#window.pump();
  }

  #takeWindowUpdate(stream: number, payload: Buffer): void {
    expectLength(payload, 4, "WINDOW_UPDATE");
    this.#window.open(stream, payload.readUInt32BE() & 0x7fff_ffff);
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
