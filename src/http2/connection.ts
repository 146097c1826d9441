import { invariant } from "../lib/mod.ts";
import type { Http2Connection, Http2ConnectionOptions } from "./connection-options.ts";
import { ConnectionOutput } from "./connection-output.ts";
import { COST, ControlFrameBudget } from "./control-frame-budget.ts";
import { Http2Error, type Http2ErrorCode, protocolError } from "./errors.ts";
import { FrameReader, type FrameSink } from "./frame-reader.ts";
import { checkFrame, checkPriority } from "./frame-rules.ts";
import {
  CLIENT_PREFACE,
  FLAG,
  FRAME,
  goAwayFrame,
  INITIAL_WINDOW_BYTES,
  pingFrame,
  readUint31,
  resetFrame,
  windowUpdateFrame,
} from "./frames.ts";
import { type HeaderFrame, HeaderReader } from "./header-reader.ts";
import { ReceiveWindow } from "./receive-window.ts";
import { type RequestHeaders, readFields, readRequestHeaders } from "./request-headers.ts";
import { takeSettings, widenConnection, widenStream } from "./send-windows.ts";
import { serverSettingsFrame } from "./settings.ts";
import { ServerStream } from "./stream.ts";
import { StreamTable } from "./stream-table.ts";

/** One HTTP/2 connection of a server (RFC 9113) over a socket that the caller has: bytes in, calls and bytes out. */
export function createHttp2Connection(options: Http2ConnectionOptions): Http2Connection {
  return new ServerConnection(options);
}

const FLOOD = "too many frames that carry no data";

/** What ends the connection; undefined when nothing does. A stream's error is dealt with where it is found. */
type Fatal = Http2Error | undefined;

class ServerConnection implements Http2Connection, FrameSink {
  readonly #options: Http2ConnectionOptions;
  readonly #output: ConnectionOutput;
  readonly #budget: ControlFrameBudget;
  readonly #reader = new FrameReader(this);
  readonly #headers: HeaderReader;
  readonly #receiveWindow: ReceiveWindow;
  readonly #streams: StreamTable;
  #prefaceBytes = 0;
  #hasSettings = false;
  /** The highest stream that our GOAWAY counted in: it may never say a higher one. */
  #lastIdSaid: number | undefined;
  #isOver = false;

  constructor(options: Http2ConnectionOptions) {
    const { limits, framing, now, write } = options;
    const windowBytesMin = Math.min(limits.streamWindowBytes, limits.connectionWindowBytes);
    invariant(windowBytesMin >= INITIAL_WINDOW_BYTES, `a window of ${windowBytesMin} bytes is below 65535`);
    this.#options = options;
    this.#budget = new ControlFrameBudget(limits.controlFrames, now);
    this.#output = new ConnectionOutput(write, framing, this.#budget);
    this.#headers = new HeaderReader(limits.headerListBytes);
    this.#receiveWindow = new ReceiveWindow(limits.connectionWindowBytes);
    this.#streams = new StreamTable(limits.streamWindowBytes);
  }

  get streamCount(): number {
    return this.#streams.size;
  }

  receive(bytes: Uint8Array): void {
    if (this.#isOver) return;
    const from = this.#prefaceBytes < CLIENT_PREFACE.length ? this.#readPreface(bytes) : 0;
    if (!this.#isOver) this.#reader.read(bytes, from);
  }

  ping(payload: Uint8Array): void {
    if (!this.#isOver) this.#options.write(pingFrame(payload, 0));
  }

  goAway(): void {
    if (this.#isOver || this.#lastIdSaid !== undefined) return;
    this.#lastIdSaid = this.#streams.lastId;
    this.#options.write(goAwayFrame(this.#lastIdSaid, "NO_ERROR", ""));
  }

  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const stream of this.#streams.all()) stream.over(false);
  }

  /** Called by the reader alone. */
  oversize(length: number): void {
    this.#fail(new Http2Error("FRAME_SIZE_ERROR", `a frame of ${length} bytes is larger than 16384`));
  }

  /** Called by the reader alone. */
  frame(type: number, flags: number, id: number, bytes: Uint8Array, start: number, end: number): boolean {
    const openId = this.#headers.openStreamId;
    let fatal: Fatal;
    if (!this.#hasSettings && (type !== FRAME.SETTINGS || (flags & FLAG.ACK) !== 0)) {
      fatal = protocolError("the first frame is not SETTINGS");
    } else if (openId !== 0 && (type !== FRAME.CONTINUATION || id !== openId)) {
      fatal = protocolError("another frame came in the middle of a header block");
    } else if (type === FRAME.DATA) {
      fatal = this.#data(flags, id, bytes, start, end);
    } else {
      fatal = checkFrame(type, id, end - start) ?? this.#control(type, flags, id, bytes, start, end);
    }
    if (fatal) this.#fail(fatal);
    return !this.#isOver;
  }

  #control(type: number, flags: number, id: number, bytes: Uint8Array, start: number, end: number): Fatal {
    if (!this.#budget.spend(COST.FRAME)) return new Http2Error("ENHANCE_YOUR_CALM", FLOOD);
    switch (type) {
      case FRAME.HEADERS: {
        if (id % 2 === 0) return protocolError("HEADERS on a stream that is not the client's");
        if (!this.#budget.spend(COST.STREAM)) return new Http2Error("ENHANCE_YOUR_CALM", "too many streams");
        return this.#headerFrame(this.#headers.begin(flags, id, bytes, start, end));
      }
      case FRAME.CONTINUATION:
        return this.#headerFrame(this.#headers.continue(flags, bytes, start, end));
      case FRAME.SETTINGS:
        return this.#settings(flags, bytes, start, end);
      case FRAME.WINDOW_UPDATE:
        return this.#windowUpdate(id, readUint31(bytes, start));
      case FRAME.RST_STREAM:
        return this.#reset(id);
      case FRAME.PRIORITY:
        return this.#priority(id, bytes, start, end);
      case FRAME.PING:
        if ((flags & FLAG.ACK) === 0) this.#options.write(pingFrame(bytes.subarray(start, end), FLAG.ACK));
        return undefined;
      // GOAWAY says that the client will take no pushed streams: there are none. Unknown types are ignored (RFC 9113 section 5.5).
      default:
        return undefined;
    }
  }

  /** Where the frames begin in `bytes`. */
  #readPreface(bytes: Uint8Array): number {
    let at = 0;
    while (at < bytes.length && this.#prefaceBytes < CLIENT_PREFACE.length) {
      if (bytes[at++] !== CLIENT_PREFACE[this.#prefaceBytes++]) {
        this.#fail(protocolError("the client does not begin as HTTP/2 does"));
        return at;
      }
    }
    if (this.#prefaceBytes === CLIENT_PREFACE.length) {
      const { limits, write } = this.#options;
      write(serverSettingsFrame(limits));
      const more = limits.connectionWindowBytes - INITIAL_WINDOW_BYTES;
      if (more > 0) write(windowUpdateFrame(0, more));
    }
    return at;
  }

  #data(flags: number, id: number, bytes: Uint8Array, start: number, end: number): Fatal {
    const stream = this.#streams.find(id);
    if (!stream && this.#streams.isIdle(id)) return protocolError("DATA on a stream that is not open");
    const increment = this.#receiveWindow.take(end - start);
    if (increment > 0) this.#options.write(windowUpdateFrame(0, increment));
    const isLast = (flags & FLAG.END_STREAM) !== 0;
    let from = start;
    let to = end;
    if (flags & FLAG.PADDED) {
      if (start === end) return new Http2Error("FRAME_SIZE_ERROR", "padded DATA of 0 bytes");
      from = start + 1;
      to = end - (bytes[start] as number);
      if (to < from) return protocolError("DATA with more padding than there is");
    }
    const isVain = stream === undefined || (from === to && !isLast);
    if (isVain && !this.#budget.spend(COST.FRAME)) return new Http2Error("ENHANCE_YOUR_CALM", FLOOD);
    if (!stream) {
      if (!this.#streams.wasResetByUs(id))
        return this.#streamError(id, "STREAM_CLOSED", "DATA on a stream that is closed");
      return this.#streams.takesLateData(end - start)
        ? undefined
        : new Http2Error("ENHANCE_YOUR_CALM", "DATA goes on after RST_STREAM");
    }
    const wrong = stream.checkBody(to - from, isLast);
    if (wrong) return this.#streamError(id, wrong.code, wrong.message);
    const more = stream.receiveWindow.take(end - start);
    if (more > 0 && !isLast) this.#options.write(windowUpdateFrame(id, more));
    if (to > from) stream.handler?.data(bytes.subarray(from, to));
    if (isLast) stream.endRemote();
    return undefined;
  }

  #headerFrame(frame: HeaderFrame | Fatal): Fatal {
    if (frame === undefined || frame instanceof Http2Error) return frame;
    const id = frame.streamId;
    const stream = this.#streams.find(id);
    if (stream) return this.#trailers(stream, frame);
    if (id <= this.#streams.lastId) return this.#streams.headersAfterEnd(id);
    this.#streams.lastId = id;
    if (this.#lastIdSaid !== undefined || this.#streams.size >= this.#options.limits.concurrentStreams) {
      return this.#streamError(id, "REFUSED_STREAM", "more streams than may be open");
    }
    if (frame.dependsOnItself) return this.#streamError(id, "PROTOCOL_ERROR", "a stream depends on itself");
    const request = readRequestHeaders(frame.headers);
    if (typeof request === "string") return this.#streamError(id, "PROTOCOL_ERROR", `a request has ${request}`);
    if (frame.isLast && (request.contentLength ?? 0) > 0) {
      return this.#streamError(id, "PROTOCOL_ERROR", "a body that is not as long as content-length says");
    }
    this.#open(id, frame.isLast, request);
    return undefined;
  }

  #open(id: number, isLast: boolean, request: RequestHeaders): void {
    const { limits, onRequest } = this.#options;
    const receiveWindow = new ReceiveWindow(limits.streamWindowBytes);
    const stream = new ServerStream(id, receiveWindow, this.#output, this.#forget);
    stream.bodyBytesLeft = request.contentLength;
    this.#streams.add(stream);
    const { method, path, fields } = request;
    const handler = onRequest({ method, path, headers: fields, stream });
    if (!handler) {
      stream.reset("REFUSED_STREAM");
    } else if (stream.isOpen) {
      stream.handler = handler;
      if (isLast) stream.endRemote();
    } else {
      handler.closed();
    }
  }

  #trailers(stream: ServerStream, frame: HeaderFrame): Fatal {
    if (!stream.isRemoteOpen) {
      return this.#streamError(stream.id, "STREAM_CLOSED", "HEADERS after the end of the stream");
    }
    const fields = readFields(frame.headers);
    if (!frame.isLast || frame.dependsOnItself || typeof fields === "string" || (stream.bodyBytesLeft ?? 0) > 0) {
      return this.#streamError(stream.id, "PROTOCOL_ERROR", "trailers that are malformed");
    }
    stream.endRemote();
    return undefined;
  }

  #settings(flags: number, bytes: Uint8Array, start: number, end: number): Fatal {
    if (flags & FLAG.ACK) {
      return end === start ? undefined : new Http2Error("FRAME_SIZE_ERROR", "SETTINGS that acknowledge and set");
    }
    const wrong = takeSettings(this.#output, this.#streams, bytes, start, end);
    if (wrong) return wrong;
    this.#hasSettings = true;
    return undefined;
  }

  #windowUpdate(id: number, increment: number): Fatal {
    if (id === 0) return widenConnection(this.#output, this.#streams, increment);
    const stream = this.#streams.find(id);
    if (!stream && this.#streams.isIdle(id)) return protocolError("WINDOW_UPDATE of a stream that is not open");
    const wrong = stream && widenStream(stream, increment);
    return wrong && this.#streamError(id, wrong.code, wrong.message);
  }

  #reset(id: number): Fatal {
    if (this.#streams.isIdle(id)) return protocolError("RST_STREAM of a stream that is not open");
    if (!this.#budget.spend(COST.RESET)) return new Http2Error("ENHANCE_YOUR_CALM", "too many resets");
    this.#streams.find(id)?.over(false);
    return undefined;
  }

  /** Priorities are not used (RFC 9113 section 5.3.2), only checked. */
  #priority(id: number, bytes: Uint8Array, start: number, end: number): Fatal {
    const wrong = checkPriority(id, bytes, start, end);
    // A stream that nobody has used cannot be reset (section 5.1).
    return wrong && !this.#streams.isIdle(id) ? this.#streamError(id, wrong.code, wrong.message) : wrong;
  }

  readonly #forget = (stream: ServerStream, wasResetByUs: boolean): void => {
    this.#streams.close(stream.id, wasResetByUs);
    stream.handler?.closed();
  };

  #streamError(id: number, code: Http2ErrorCode, message: string): Fatal {
    if (!this.#budget.spend(COST.RESET)) return new Http2Error("ENHANCE_YOUR_CALM", "too many errors");
    const stream = this.#streams.find(id);
    if (stream) {
      stream.reset(code);
    } else {
      this.#options.write(resetFrame(id, code));
      this.#streams.close(id, true);
    }
    this.#options.onStreamError(new Http2Error(code, message));
    return undefined;
  }

  #fail(error: Http2Error): void {
    if (this.#isOver) return;
    this.#options.write(goAwayFrame(this.#lastIdSaid ?? this.#streams.lastId, error.code, error.message));
    this.close();
    this.#options.onError(error);
  }
}
