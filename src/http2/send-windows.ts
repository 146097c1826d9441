/** What the peer says of its windows (RFC 9113 sections 6.5, 6.9): how much it takes, and that there is room again. */
import type { ConnectionOutput } from "./connection-output.ts";
import { Http2Error, protocolError } from "./errors.ts";
import { FLAG, FRAME, frameOf, WINDOW_BYTES_MAX } from "./frames.ts";
import { applyPeerSettings } from "./settings.ts";
import type { ServerStream } from "./stream.ts";
import type { StreamTable } from "./stream-table.ts";

const NOTHING = new Uint8Array(0);

/** Takes the payload of a SETTINGS frame and acknowledges it. What is wrong with it is so for the connection. */
export function takeSettings(
  output: ConnectionOutput,
  streams: StreamTable,
  bytes: Uint8Array,
  start: number,
  end: number,
): Http2Error | undefined {
  const { settings } = output;
  const before = settings.initialWindowBytes;
  const wrong = applyPeerSettings(settings, bytes, start, end);
  if (wrong) return wrong;
  const by = settings.initialWindowBytes - before;
  for (const stream of streams.all()) {
    if (!stream.changeSendWindow(by)) return new Http2Error("FLOW_CONTROL_ERROR", "SETTINGS make a window too large");
  }
  output.write(frameOf(FRAME.SETTINGS, FLAG.ACK, 0, NOTHING));
  if (by > 0) resumeAll(streams);
  return undefined;
}

/** The peer takes more on the whole connection. What is wrong with that is so for the connection. */
export function widenConnection(
  output: ConnectionOutput,
  streams: StreamTable,
  increment: number,
): Http2Error | undefined {
  if (increment === 0) return protocolError("WINDOW_UPDATE by nothing");
  output.window += increment;
  if (output.window > WINDOW_BYTES_MAX) return new Http2Error("FLOW_CONTROL_ERROR", "a window above 2^31-1");
  resumeAll(streams);
  return undefined;
}

/** The peer takes more on one stream. What is wrong with that is so for the stream. */
export function widenStream(stream: ServerStream, increment: number): Http2Error | undefined {
  if (increment === 0) return protocolError("WINDOW_UPDATE by nothing");
  if (!stream.changeSendWindow(increment)) return new Http2Error("FLOW_CONTROL_ERROR", "a window above 2^31-1");
  stream.resume();
  return undefined;
}

function resumeAll(streams: StreamTable): void {
  for (const stream of streams.all()) stream.resume();
}
