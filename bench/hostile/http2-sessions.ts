/** Broken HTTP/2 and gRPC. */
import {
  DELTA,
  END_HEADERS,
  END_STREAM,
  FRAME,
  frame,
  headerBlock,
  message,
  open,
  opening,
  PADDED,
  repeated,
  requestHeaders,
  setting,
  uint32,
} from "./frames.ts";
import { asProxy, delta, type HostileSession, noise } from "./hostile-session.ts";

const CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
/** More than any bound of a server that means well. */
const MANY = 2_000;

/** Frames. */
export const onHttp2: readonly HostileSession[] = [
  asProxy("noise instead of a preface", (random) => [noise(random, 1000)]),
  asProxy("HTTP/1.1 instead of a preface", () => [Buffer.from("POST / HTTP/1.1\r\nHost: x\r\n\r\n")]),
  asProxy("noise after the preface", (random) => [opening, noise(random, 2000)]),
  asProxy("a frame of 16 MiB", () => [opening, frame(FRAME.data, 0, 1, Buffer.alloc(20_000), 0xffffff)]),
  asProxy("a frame that ends early", () => [opening, frame(FRAME.headers, END_HEADERS, 1, Buffer.alloc(3), 300)]),
  asProxy("frames of unknown types", (random) => [
    opening,
    repeated(MANY, (n) => frame(32 + (n % 200), 255, n, noise(random, 8))),
  ]),
  asProxy("a flood of SETTINGS", () => [opening, repeated(MANY, () => frame(FRAME.settings, 0, 0))]),
  asProxy("a flood of PING", () => [opening, repeated(MANY, () => frame(FRAME.ping, 0, 0, Buffer.alloc(8)))]),
  asProxy("a flood of PRIORITY", () => [
    opening,
    repeated(MANY, (n) => frame(FRAME.priority, 0, 2 * n + 1, Buffer.alloc(5))),
  ]),
  asProxy("a flood of empty DATA", () => [opening, open(1), repeated(MANY, () => frame(FRAME.data, 0, 1))]),
  asProxy("streams that are opened and reset", () => [
    opening,
    repeated(MANY, (n) => Buffer.concat([open(2 * n + 1), frame(FRAME.reset, 0, 2 * n + 1, uint32(8))])),
  ]),
  asProxy("more streams than there may be", () => [opening, repeated(500, (n) => open(2 * n + 1))]),
  asProxy("headers without an end", () => [
    opening,
    frame(FRAME.headers, 0, 1, requestHeaders(DELTA)),
    repeated(MANY, () => frame(FRAME.continuation, 0, 1, headerBlock([["x-more", "x".repeat(100)]]))),
  ]),
  asProxy("headers of a megabyte", () => [
    opening,
    frame(FRAME.headers, 0, 1, requestHeaders(DELTA)),
    repeated(80, () => frame(FRAME.continuation, 0, 1, headerBlock([["x-large", "x".repeat(16_000)]]))),
    frame(FRAME.continuation, END_HEADERS, 1),
  ]),
  asProxy("a CONTINUATION of nothing", () => [opening, frame(FRAME.continuation, END_HEADERS, 1)]),
  asProxy("a window that overflows", () => [
    opening,
    open(1),
    repeated(3, () => frame(FRAME.windowUpdate, 0, 0, uint32(0x7fffffff))),
    repeated(3, () => frame(FRAME.windowUpdate, 0, 1, uint32(0x7fffffff))),
  ]),
  asProxy("a window update of zero", () => [opening, frame(FRAME.windowUpdate, 0, 0, uint32(0))]),
  asProxy("DATA on stream 0", () => [opening, frame(FRAME.data, 0, 0, Buffer.alloc(5))]),
  asProxy("DATA on a stream that was never opened", () => [opening, frame(FRAME.data, 0, 77, Buffer.alloc(5))]),
  asProxy("DATA after the end of the stream", () => [
    opening,
    frame(FRAME.headers, END_HEADERS | END_STREAM, 1, requestHeaders(DELTA)),
    repeated(20, () => frame(FRAME.data, 0, 1, Buffer.alloc(100))),
  ]),
  asProxy("a stream with an even number", () => [opening, open(2)]),
  asProxy("streams in falling order", () => [opening, open(9), open(3)]),
  asProxy("a PUSH_PROMISE", () => [opening, frame(FRAME.pushPromise, END_HEADERS, 1, uint32(2))]),
  asProxy("RST_STREAM of an idle stream", () => [opening, frame(FRAME.reset, 0, 5, uint32(0))]),
  asProxy("settings that are not allowed", () => [
    opening,
    frame(FRAME.settings, 0, 0, Buffer.concat([setting(4, 0xffffffff), setting(5, 1), setting(2, 7)])),
  ]),
  asProxy("settings of a wrong length", () => [opening, frame(FRAME.settings, 0, 0, Buffer.alloc(5))]),
  asProxy("a header table of 4 GiB", () => [opening, frame(FRAME.settings, 0, 0, setting(1, 0xffffffff)), open(1)]),
  asProxy("a window of zero that stays", (_random, uuid) => [
    opening,
    frame(FRAME.settings, 0, 0, setting(4, 0)),
    open(1),
    delta({ typeUrl: CLUSTER, node: { id: uuid }, resourceNamesSubscribe: ["*"] }),
  ]),
  asProxy("padding longer than its frame", () => [
    opening,
    open(1),
    frame(FRAME.data, PADDED, 1, Buffer.from([200, 0, 0])),
  ]),
  // Index 0, then an index beyond the table, an integer without an end, a Huffman code that is only padding.
  ...[[0x80], [0xff, 0xff, 0x03], [0xff, 255, 255, 255, 255, 255, 255, 255, 15], [0x00, 0x81, 0xff, 0x81, 0xff]].map(
    (bytes, n) =>
      asProxy(`broken HPACK ${n + 1}`, () => [opening, frame(FRAME.headers, END_HEADERS, 1, Buffer.from(bytes))]),
  ),
  asProxy("a request without a path", () => [
    opening,
    frame(FRAME.headers, END_HEADERS, 1, headerBlock([[":method", "POST"]])),
  ]),
  asProxy("header names in capitals, line breaks in values", () => [
    opening,
    frame(FRAME.headers, END_HEADERS, 1, requestHeaders(DELTA, [["X-Capital", "a\r\nb: c"]])),
  ]),
  asProxy("GOAWAY at once", () => [opening, frame(FRAME.goAway, 0, 0, uint32(0, 0)), open(1)]),
];

/** Requests and the lengths of messages. */
export const onGrpc: readonly HostileSession[] = [
  asProxy("a method that there is not", () => [opening, open(1, "/a.b/C")]),
  asProxy("a method of many names", () => [opening, repeated(100, (n) => open(2 * n + 1, `/a.b/${n}`))]),
  asProxy("no gRPC", () => [
    opening,
    frame(
      FRAME.headers,
      END_HEADERS | END_STREAM,
      1,
      headerBlock([
        [":method", "GET"],
        [":scheme", "https"],
        [":path", "/"],
        [":authority", "x"],
      ]),
    ),
  ]),
  asProxy("a message of 4 GiB", () => [opening, open(1), message(1, Buffer.alloc(100), { length: 0xffffffff })]),
  asProxy("a message larger than the bound, bit by bit", () => [
    opening,
    open(1),
    message(1, Buffer.alloc(16_000), { length: 5 * 2 ** 20 }),
    repeated(3, () => frame(FRAME.data, 0, 1, Buffer.alloc(16_000))),
  ]),
  asProxy("a compressed message", () => [opening, open(1), message(1, Buffer.alloc(10), { compressed: 1 })]),
  asProxy("a prefix that is none", () => [opening, open(1), message(1, Buffer.alloc(10), { compressed: 77 })]),
  asProxy("half a message, then the end", () => [
    opening,
    open(1),
    message(1, Buffer.alloc(10), { length: 1000, flags: END_STREAM }),
  ]),
  asProxy("a message byte by byte", (_random, uuid) => {
    const whole = delta({ typeUrl: CLUSTER, node: { id: uuid }, resourceNamesSubscribe: ["*"] }).subarray(9);
    return [opening, open(1), ...[...whole].map((byte) => frame(FRAME.data, 0, 1, Buffer.from([byte])))];
  }),
  asProxy("empty messages without an end", () => [opening, open(1), repeated(MANY, () => message(1, Buffer.alloc(0)))]),
  asProxy("a stream that says nothing", () => [opening, open(1)]),
];
