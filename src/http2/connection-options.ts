import type { DataFraming } from "./data-framing.ts";
import type { Http2Error } from "./errors.ts";
import type { Http2Limits } from "./limits.ts";
import type { Http2Stream, Http2StreamHandler } from "./stream.ts";

/** A request whose headers have come; its body comes to the handler. */
export interface Http2Request {
  readonly method: string;
  readonly path: string;
  /** All but pseudo-headers, by their names in lower case; a character stands for an octet. */
  readonly headers: ReadonlyMap<string, string>;
  readonly stream: Http2Stream;
}

export interface Http2ConnectionOptions {
  readonly limits: Http2Limits;
  /** The same for all connections of a server. */
  readonly framing: DataFraming;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  /**
   * Takes bytes for the peer, in order. Many calls may come from one `receive`: they are meant to be gathered. A peer that
   * does not read causes few of them (`Http2Limits.controlFrames`) beside what the caller sends.
   */
  readonly write: (bytes: Uint8Array) => void;
  /** Undefined: refused, and reset unless it was answered already through the request's stream. */
  readonly onRequest: (request: Http2Request) => Http2StreamHandler | undefined;
  /** The peer broke a rule about one stream, which was reset. */
  readonly onStreamError: (error: Http2Error) => void;
  /**
   * The peer broke a rule about the connection, or a bound. All streams are over and GOAWAY is written: close it after
   * what is written is out.
   */
  readonly onError: (error: Http2Error) => void;
}

/** The server's side of one HTTP/2 connection, without the socket. */
export interface Http2Connection {
  /**
   * Takes what the peer has sent, cut anywhere. Calls the handlers, and `write`. Whatever the bytes are, it does not throw,
   * keeps 32 KiB of them at most, and works in proportion to them. Does nothing after an error or `close`.
   */
  receive(bytes: Uint8Array): void;
  /** `payload` has 8 bytes. */
  ping(payload: Uint8Array): void;
  /** Tells the peer to open no more streams; those that are open go on. */
  goAway(): void;
  /** Ends all streams without a word, as when the socket is gone. */
  close(): void;
  /** Streams that are open. */
  readonly streamCount: number;
}
