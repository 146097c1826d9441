/** Broken protobuf and xDS. */
import { envoy } from "../../proto/gen/discovery.js";
import { FRAME, frame, message, open, opening, repeated, SOTW, uint32 } from "./frames.ts";
import { asProxy, delta, type HostileSession, noise } from "./hostile-session.ts";

const { DeltaDiscoveryRequest, DiscoveryRequest } = envoy.service.discovery.v3;
const CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
const ENDPOINTS = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
const SECRET = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";
/** More than any bound of a server that means well. */
const MANY = 2_000;

/** Messages. */
export const onProtobuf: readonly HostileSession[] = [
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

/** What messages say. */
export const onXds: readonly HostileSession[] = [
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
