import { Http2Error, protocolError } from "./errors.ts";
import { FRAME, readUint31 } from "./frames.ts";

interface FrameRule {
  readonly name: string;
  /** Whether it speaks of a stream or of the connection. WINDOW_UPDATE may do both. */
  readonly about: "stream" | "connection" | "either";
  readonly bytes?: number;
  readonly bytesMin?: number;
}

/** By type: what RFC 9113 section 6 says of a frame apart from what went before it. */
const RULES: readonly FrameRule[] = [
  { name: "DATA", about: "stream" },
  { name: "HEADERS", about: "stream" },
  { name: "PRIORITY", about: "stream" },
  { name: "RST_STREAM", about: "stream", bytes: 4 },
  { name: "SETTINGS", about: "connection" },
  { name: "PUSH_PROMISE", about: "stream" },
  { name: "PING", about: "connection", bytes: 8 },
  { name: "GOAWAY", about: "connection", bytesMin: 8 },
  { name: "WINDOW_UPDATE", about: "either", bytes: 4 },
  { name: "CONTINUATION", about: "stream" },
];

/** What is wrong with a frame by itself; types that nobody defined are never wrong. */
export function checkFrame(type: number, streamId: number, length: number): Http2Error | undefined {
  const rule = RULES[type];
  if (!rule) return undefined;
  if (type === FRAME.PUSH_PROMISE) return protocolError("PUSH_PROMISE from a client");
  if (rule.about === "stream" && streamId === 0) return protocolError(`${rule.name} of no stream`);
  if (rule.about === "connection" && streamId !== 0) {
    return protocolError(`${rule.name} on stream ${streamId}`);
  }
  if ((rule.bytes ?? length) !== length || length < (rule.bytesMin ?? 0)) {
    return new Http2Error("FRAME_SIZE_ERROR", `${rule.name} of ${length} bytes`);
  }
  return undefined;
}

/** What is wrong with PRIORITY for its stream: sections 6.3, and 5.3.1 of RFC 7540. */
export function checkPriority(id: number, bytes: Uint8Array, start: number, end: number): Http2Error | undefined {
  if (end - start !== 5) return new Http2Error("FRAME_SIZE_ERROR", `PRIORITY of ${end - start} bytes`);
  if (readUint31(bytes, start) !== id) return undefined;
  return protocolError("a stream depends on itself");
}
