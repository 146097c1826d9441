/**
 * The server's side of HTTP/2 (RFC 9113) with HPACK (RFC 7541), without sockets: `createHttp2Connection` takes the bytes of
 * one client and calls `write` with the bytes for it.
 *
 * Promised: whatever a client sends, nothing is thrown, what is kept of it is bounded (32 KiB of frames and headers, 4 KiB
 * of HPACK's table), work is in proportion to the bytes that came, and what we write unasked is bounded over time. What
 * goes against the specification is answered with its error code, on the stream where it may, else for the connection.
 * The peer's windows and settings are kept to. Only requests that are well-formed reach `onRequest`, and each handler hears
 * `closed` once.
 *
 * Not promised: a bound on what the caller sends in spite of `sendData` returning false, nor on how long a client may take:
 * time-outs and the socket's backpressure are the caller's.
 */
export { createHttp2Connection } from "./connection.ts";
export type { Http2Connection, Http2ConnectionOptions, Http2Request } from "./connection-options.ts";
export { DataFraming } from "./data-framing.ts";
export { Http2Error, type Http2ErrorCode } from "./errors.ts";
export { DEFAULT_HTTP2_LIMITS, type Http2Limits } from "./limits.ts";
export type { Http2Stream, Http2StreamHandler } from "./stream.ts";
