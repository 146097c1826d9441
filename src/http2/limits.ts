import type { ControlFrameRate } from "./control-frame-budget.ts";

/** Bounds of one connection. */
export interface Http2Limits {
  /** Open at once; more are refused. */
  readonly concurrentStreams: number;
  /** A request's headers as HPACK counts them: 32 bytes beside each name and value. More ends the connection. */
  readonly headerListBytes: number;
  /** What a client may send on a stream, and on all of them, before it is told that there is room again; 65,535 at least. */
  readonly streamWindowBytes: number;
  readonly connectionWindowBytes: number;
  /** Frames that carry no data: more end the connection. */
  readonly controlFrames: ControlFrameRate;
}

/** For streams that live long, one or two a connection. */
export const DEFAULT_HTTP2_LIMITS: Http2Limits = {
  concurrentStreams: 8,
  headerListBytes: 16 * 1024,
  streamWindowBytes: 256 * 1024,
  connectionWindowBytes: 1024 * 1024,
  controlFrames: { burst: 1000, perSecond: 100 },
};
