import {
  createHttp2Connection,
  DataFraming,
  DEFAULT_HTTP2_LIMITS,
  type Http2Connection,
  type Http2ErrorCode,
  type Http2Limits,
  type Http2Stream,
} from "../../src/http2/mod.ts";

/** RFC 9113 sections 6 and 7, as the position in the list says. */
const TYPES = [
  "DATA",
  "HEADERS",
  "PRIORITY",
  "RST_STREAM",
  "SETTINGS",
  "PUSH_PROMISE",
  "PING",
  "GOAWAY",
  "WINDOW_UPDATE",
  "CONTINUATION",
] as const;
const CODES: readonly Http2ErrorCode[] = [
  "NO_ERROR",
  "PROTOCOL_ERROR",
  "INTERNAL_ERROR",
  "FLOW_CONTROL_ERROR",
  "SETTINGS_TIMEOUT",
  "STREAM_CLOSED",
  "FRAME_SIZE_ERROR",
  "REFUSED_STREAM",
  "CANCEL",
  "COMPRESSION_ERROR",
  "CONNECT_ERROR",
  "ENHANCE_YOUR_CALM",
];

export type FrameName = (typeof TYPES)[number];
export const END_STREAM = 1;
export const ACK = 1;
export const END_HEADERS = 4;
export const PADDED = 8;
export const PRIORITY = 0x20;

export const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** A frame, with any type and payload. */
export function frame(type: FrameName | number, flags: number, id: number, payload: Uint8Array = Buffer.of()): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = typeof type === "number" ? type : TYPES.indexOf(type);
  header[4] = flags;
  header.writeUInt32BE(id, 5);
  return Buffer.concat([header, payload]);
}

export function numberFrame(type: "WINDOW_UPDATE" | "RST_STREAM", id: number, value: number): Buffer {
  return frame(type, 0, id, uint32(value));
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A SETTINGS frame of `[identifier, value]` pairs. */
export function settings(...pairs: readonly (readonly [number, number])[]): Buffer {
  return frame(
    "SETTINGS",
    0,
    0,
    Buffer.concat(pairs.map(([id, value]) => Buffer.concat([Buffer.of(0, id), uint32(value)]))),
  );
}

/** A header block of literals that are not indexed. */
export function block(headers: readonly (readonly [string, string])[]): Buffer {
  const text = (value: string) => {
    const length =
      value.length < 127 ? [value.length] : [127, ((value.length - 127) & 127) | 128, (value.length - 127) >> 7];
    return Buffer.concat([Buffer.from(length), Buffer.from(value, "latin1")]);
  };
  return Buffer.concat(headers.map(([name, value]) => Buffer.concat([Buffer.of(0), text(name), text(value)])));
}

export const GET = [
  [":method", "GET"],
  [":scheme", "https"],
  [":path", "/a"],
] as const;

/** HEADERS that open stream `id` with a body to come. */
export function open(id: number, headers: readonly (readonly [string, string])[] = GET): Buffer {
  return frame("HEADERS", END_HEADERS, id, block(headers));
}

export interface DrivenConnection {
  readonly connection: Http2Connection;
  /** Called from within the handlers' `drained`. */
  whenDrained: (id: number) => void;
  /** The same within `closed`. */
  whenClosed: (id: number) => void;
  /** Gives the connection frames of a client; what it wrote for them. */
  receive(...frames: readonly Uint8Array[]): string[];
  /** What was written since the last call, a line a frame. */
  written(): string[];
  /** What the handlers were told since the last call; bodies in hexadecimal, pieces that follow each other put together. */
  told(): string[];
  /** Bytes that were written in all. */
  readonly writtenBytes: number;
  stream(id: number): Http2Stream;
  /** Moves the connection's clock. */
  wait(ms: number): void;
}

/** A connection whose client has sent preface and SETTINGS. */
export function driveConnection(limits: Partial<Http2Limits> = {}, framing = new DataFraming()): DrivenConnection {
  const driven = driveFromTheStart(limits, framing);
  driven.receive(PREFACE, settings());
  return driven;
}

export function driveFromTheStart(limits: Partial<Http2Limits> = {}, framing = new DataFraming()): DrivenConnection {
  const streams = new Map<number, Http2Stream>();
  const events: string[] = [];
  let output: Uint8Array[] = [];
  let writtenBytes = 0;
  let now = 0;
  const tell = (event: string) => void events.push(event);
  const connection = createHttp2Connection({
    limits: { ...DEFAULT_HTTP2_LIMITS, ...limits },
    framing,
    now: () => now,
    write: (bytes) => {
      output.push(Buffer.from(bytes));
      writtenBytes += bytes.length;
    },
    onRequest: ({ method, path, stream }) => {
      tell(`${method} ${path} on ${stream.id}`);
      if (path === "/refused") return undefined;
      if (path === "/at-once") stream.trailers([[":status", "200"]]);
      streams.set(stream.id, stream);
      return {
        data: (bytes) => {
          const hex = Buffer.from(bytes).toString("hex");
          const start = `data on ${stream.id}: `;
          if (events.at(-1)?.startsWith(start)) events[events.length - 1] += hex;
          else tell(start + hex);
          if (path === "/reset-by-data") stream.reset("CANCEL");
        },
        end: () => tell(`end of ${stream.id}`),
        drained: () => {
          tell(`drained ${stream.id}`);
          driven.whenDrained(stream.id);
        },
        closed: () => {
          tell(`closed ${stream.id}`);
          driven.whenClosed(stream.id);
        },
      };
    },
    onStreamError: () => undefined,
    onError: ({ code }) => tell(`error ${code}`),
  });
  const written = () => {
    const lines = describeFrames(Buffer.concat(output));
    output = [];
    return lines;
  };
  const driven: DrivenConnection = {
    connection,
    whenDrained: () => undefined,
    whenClosed: () => undefined,
    written,
    receive(...frames) {
      for (const bytes of frames) connection.receive(bytes);
      return written();
    },
    told: () => events.splice(0),
    get writtenBytes() {
      return writtenBytes;
    },
    stream(id) {
      const stream = streams.get(id);
      if (!stream) throw new Error(`no request came on stream ${id}`);
      return stream;
    },
    wait: (ms) => {
      now += ms;
    },
  };
  return driven;
}

/** `DATA 1 5 bytes END_STREAM` and the like. */
function describeFrames(bytes: Buffer): string[] {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUIntBE(at, 3);
    const type = TYPES[bytes[at + 3] as number] ?? `type ${bytes[at + 3]}`;
    const payload = bytes.subarray(at + 9, at + 9 + length);
    lines.push(
      [type, bytes.readUInt32BE(at + 5) || "", describePayload(type, bytes[at + 4] as number, payload)]
        .filter((part) => part !== "")
        .join(" "),
    );
    at += 9 + length;
  }
  return lines;
}

function describePayload(type: string, flags: number, payload: Buffer): string {
  const end = flags & END_STREAM ? " END_STREAM" : "";
  if (type === "DATA") return `${payload.length} bytes${end}`;
  if (type === "HEADERS" || type === "CONTINUATION") {
    const saysNoTable = type === "HEADERS" && payload[0] === 0x20;
    return `${saysNoTable ? "NO_TABLE" : ""}${end}`.trim();
  }
  if (type === "RST_STREAM") return CODES[payload.readUInt32BE()] ?? "";
  if (type === "GOAWAY") return `${payload.readUInt32BE()} ${CODES[payload.readUInt32BE(4)]}`;
  if (type === "WINDOW_UPDATE") return String(payload.readUInt32BE());
  if (type === "SETTINGS" || type === "PING") return flags & ACK ? "ACK" : payload.toString("hex");
  return "";
}
