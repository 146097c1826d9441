/**
 * What somebody sends who means harm or does not know better, layer by layer. Values only: `run-sessions.ts` sends them.
 */
import { envoy } from "../../proto/gen/discovery.js";
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
  SOTW,
  setting,
  uint32,
} from "./frames.ts";

const { DeltaDiscoveryRequest, DiscoveryRequest } = envoy.service.discovery.v3;

/** Who the sender seems to be. */
export type Disguise =
  /** A TCP connection. */
  | "anybody"
  /** TLS without a client certificate. */
  | "no certificate"
  /** TLS with a certificate of another CA. */
  | "foreign certificate"
  /** TLS 1.2, with the certificate of a proxy. */
  | "old TLS"
  /** A proxy of the mesh. */
  | "proxy";

export interface HostileSession {
  readonly name: string;
  readonly as: Disguise;
  /** What is written, piece by piece. `random` gives numbers below 1; `uuid` is the proxy's own. */
  readonly pieces: (random: () => number, uuid: string) => readonly Buffer[];
}

type Random = () => number;

function noise(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)));
}

const CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
const ENDPOINTS = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
const SECRET = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";
/** More than any bound of a server that means well. */
const MANY = 2_000;

const belowHttp2: readonly HostileSession[] = [
  { name: "noise", as: "anybody", pieces: (random) => [noise(random, 4096)] },
  { name: "nothing at all", as: "anybody", pieces: () => [] },
  {
    name: "HTTP/1.1",
    as: "anybody",
    pieces: () => [Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n")],
  },
  // A record of a handshake that says it is 16 KiB long and is not.
  { name: "half a ClientHello", as: "anybody", pieces: () => [Buffer.from([22, 3, 1, 64, 0, 1, 0, 63, 252, 3, 3])] },
  {
    name: "a TLS record larger than there may be",
    as: "anybody",
    pieces: (random) => [Buffer.from([22, 3, 1, 255, 255]), noise(random, 65_535)],
  },
  { name: "a stream without a certificate", as: "no certificate", pieces: () => [opening, open(1)] },
  { name: "a stream with a certificate of somebody else", as: "foreign certificate", pieces: () => [opening, open(1)] },
  { name: "a stream over TLS 1.2", as: "old TLS", pieces: () => [opening, open(1)] },
];

const onHttp2: readonly HostileSession[] = [
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

const onGrpc: readonly HostileSession[] = [
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

const onProtobuf: readonly HostileSession[] = [
  asProxy("noise for a message", (random) => [opening, open(1), message(1, noise(random, 200))]),
  asProxy("noise for a state-of-the-world message", (random) => [
    opening,
    open(1, SOTW),
    message(1, noise(random, 200)),
  ]),
  asProxy("a varint without an end", () => [opening, open(1), message(1, Buffer.alloc(40, 0xff))]),
  // Field 1 is the node; its metadata is a Struct, which may hold itself.
  asProxy("messages within messages", () => [opening, open(1), message(1, nested(3_000))]),
  asProxy("groups within groups", () => [opening, open(1), message(1, Buffer.alloc(10_000, 0x0b))]),
  asProxy("text that is no UTF-8", () => [
    opening,
    open(1),
    message(1, Buffer.from([0x12, 4, 0xff, 0xfe, 0xc0, 0x80])),
  ]),
  asProxy("a length beyond the end", () => [
    opening,
    open(1),
    message(1, Buffer.from([0x12, 0xff, 0xff, 0xff, 0x7f, 0])),
  ]),
];

const onXds: readonly HostileSession[] = [
  asProxy("the name of another proxy", () => [
    opening,
    open(1),
    delta({
      typeUrl: SECRET,
      node: { id: "00000000-0000-4000-8000-ffffffffffff" },
      resourceNamesSubscribe: ["service-cert"],
    }),
  ]),
  asProxy("a name that changes", (_random, uuid) => [
    opening,
    open(1),
    delta({ typeUrl: CLUSTER, node: { id: uuid }, resourceNamesSubscribe: ["*"] }),
    delta({ typeUrl: ENDPOINTS, node: { id: "somebody-else" } }),
  ]),
  asProxy("a name of a megabyte", () => [
    opening,
    open(1),
    ...large({ typeUrl: CLUSTER, node: { id: "x".repeat(2 ** 20) } }),
  ]),
  asProxy("types that there are not", (_random, uuid) => [
    opening,
    open(1),
    repeated(300, (n) =>
      delta({ typeUrl: `type.googleapis.com/a.B${n}`, node: { id: uuid }, resourceNamesSubscribe: ["x"] }),
    ),
  ]),
  asProxy("a nonce that was never given", (_random, uuid) => [
    opening,
    open(1),
    delta({ typeUrl: CLUSTER, node: { id: uuid }, resourceNamesSubscribe: ["*"] }),
    repeated(200, (n) => delta({ typeUrl: CLUSTER, responseNonce: `never-${n}` })),
  ]),
  asProxy("a refusal of everything", (_random, uuid) => [
    opening,
    open(1),
    delta({ typeUrl: CLUSTER, node: { id: uuid }, resourceNamesSubscribe: ["*"] }),
    repeated(200, () =>
      delta({
        typeUrl: CLUSTER,
        responseNonce: "1",
        errorDetail: { code: 13, message: "\u001b[31m\r\nno".repeat(50) },
      }),
    ),
  ]),
  asProxy("100,000 names", (_random, uuid) => [
    opening,
    open(1),
    ...large({
      typeUrl: ENDPOINTS,
      node: { id: uuid },
      resourceNamesSubscribe: Array.from({ length: 100_000 }, (_, n) => `ns/${n}`),
    }),
  ]),
  asProxy("names that come and go", (_random, uuid) => [
    opening,
    open(1),
    delta({ typeUrl: CLUSTER, node: { id: uuid }, resourceNamesSubscribe: ["*"] }),
    repeated(MANY, (n) =>
      delta({
        typeUrl: ENDPOINTS,
        ...(n % 2 === 0 ? { resourceNamesSubscribe: ["x"] } : { resourceNamesUnsubscribe: ["x"] }),
      }),
    ),
  ]),
  asProxy("versions that are lies", (_random, uuid) => [
    opening,
    open(1),
    delta({
      typeUrl: CLUSTER,
      node: { id: uuid },
      resourceNamesSubscribe: ["*"],
      initialResourceVersions: Object.fromEntries(
        ["__proto__", "constructor", ...Array.from({ length: 500 }, (_, n) => `lie-${n}`)].map((name) => [name, "1"]),
      ),
    }),
  ]),
  asProxy("secrets of everybody", (_random, uuid) => [
    opening,
    open(1),
    delta({
      typeUrl: SECRET,
      node: { id: uuid },
      resourceNamesSubscribe: ["*", "../ca", "private.key", "service-cert:a/b"],
    }),
  ]),
  asProxy("state of the world, and no end of it", (_random, uuid) => [
    opening,
    open(1, SOTW),
    repeated(MANY, (n) =>
      message(
        1,
        DiscoveryRequest.encode({
          typeUrl: CLUSTER,
          node: { id: uuid },
          versionInfo: `${n}`,
          responseNonce: `${n}`,
        }).finish(),
      ),
    ),
  ]),
];

/** All of them. */
export const hostileSessions: readonly HostileSession[] = [
  ...belowHttp2,
  ...onHttp2,
  ...onGrpc,
  ...onProtobuf,
  ...onXds,
];

function asProxy(name: string, pieces: HostileSession["pieces"]): HostileSession {
  return { name, as: "proxy", pieces };
}

function delta(request: envoy.service.discovery.v3.DeltaDiscoveryRequest.$Properties): Buffer {
  return message(1, DeltaDiscoveryRequest.encode(request).finish());
}

/** One message in as many frames as it takes. */
function large(request: envoy.service.discovery.v3.DeltaDiscoveryRequest.$Properties): readonly Buffer[] {
  const bytes = DeltaDiscoveryRequest.encode(request).finish();
  const whole = Buffer.concat([Buffer.from([0, ...uint32(bytes.length)]), bytes]);
  const pieces: Buffer[] = [];
  for (let at = 0; at < whole.length; at += 16_384)
    pieces.push(frame(FRAME.data, 0, 1, whole.subarray(at, at + 16_384)));
  return pieces;
}

/** `depth` messages, each the only field of the one around it, field number 1. */
function nested(depth: number): Buffer {
  let bytes = Buffer.alloc(0);
  for (let n = 0; n < depth; n++) {
    const length: number[] = [];
    let rest = bytes.length;
    for (; rest > 127; rest >>>= 7) length.push((rest & 127) | 128);
    bytes = Buffer.concat([Buffer.from([0x0a, ...length, rest]), bytes]);
  }
  return bytes;
}
