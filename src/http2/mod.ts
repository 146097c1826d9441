export { createHttp2Connection } from "./connection.ts";
export type { Http2Connection, Http2ConnectionOptions, Http2Request } from "./connection-options.ts";
export type { ControlFrameRate } from "./control-frame-budget.ts";
export { DataFraming } from "./data-framing.ts";
export { Http2Error, type Http2ErrorCode } from "./errors.ts";
export type { HeaderList } from "./hpack-encoder.ts";
export { DEFAULT_HTTP2_LIMITS, type Http2Limits } from "./limits.ts";
export type { Http2Stream, Http2StreamHandler } from "./stream.ts";
