import { expect, test } from "vitest";
import { manualClock } from "../../lib/mod.ts";
import { Conduct } from "../admission/conduct.ts";
import type { ClientCertificate } from "../client-certificate.ts";
import type { AcceptStream } from "../transport.ts";
import { type GrpcCarrier, type GrpcStream, openGrpcStream } from "./grpc-stream.ts";

const CERTIFICATE: ClientCertificate = {
  commonName: "proxy",
  dnsNames: [],
  uris: [],
  serialNumber: "01",
  notAfterMs: Number.POSITIVE_INFINITY,
};
const HEAD = {
  method: "POST",
  path: "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources",
  contentType: "application/grpc",
  timeout: undefined,
};
const ignore = () => undefined;

/** A stream on a carrier that counts who wants it to be paused, as a connection with several streams does. */
function openStream(refusal?: "refused") {
  const clock = manualClock();
  let paused = 0;
  let abandoned = 0;
  const blamed: string[] = [];
  const conduct = new Conduct("", false, {
    proven: ignore,
    failed: (_conduct, cause) => void blamed.push(cause),
    left: ignore,
  });
  conduct.secured();
  const carrier: GrpcCarrier = {
    conduct,
    respond: ignore,
    respondAlone: ignore,
    write: () => true,
    trailers: ignore,
    abandon: () => void abandoned++,
    pauseReading: () => void paused++,
    resumeReading: () => void paused--,
  };
  const events: string[] = [];
  const handler = {
    receive: ignore,
    drained: ignore,
    halfClosed: ignore,
    closed: () => void events.push("closed"),
    failed: (code: string) => void events.push(`failed ${code}`),
  };
  const accept: AcceptStream = (_protocol, _certificate, transport) => {
    if (refusal === undefined) return handler;
    transport.end("RESOURCE_EXHAUSTED", "enough of them");
    return undefined;
  };
  const options = { accept, clock, requestBytesMax: 1024, findExcess: ignore };
  const stream = openGrpcStream(HEAD, CERTIFICATE, carrier, options) as GrpcStream;
  const flood = (requests: number) => stream.receive(Buffer.alloc(requests * 5));
  return { clock, stream, events, flood, conduct, blamed, paused: () => paused, abandoned: () => abandoned };
}

test("a stream that asked far too much at once is read again when its budget has grown", () => {
  const { clock, flood, paused } = openStream();
  flood(10_100);
  expect(paused()).toBe(1);
  clock.advance(1_000);
  expect(paused()).toBe(1);
  clock.advance(1_000);
  expect(paused()).toBe(0);
});

test.each([
  ["is reset", (stream: GrpcStream) => stream.closed()],
  ["is ended", (stream: GrpcStream) => stream.end("ABORTED", "enough")],
])("a stream that %s while it rests does not leave its connection unread", (_what, leave) => {
  const { stream, flood, paused } = openStream();
  flood(10_100);
  leave(stream);
  stream.closed();
  expect(paused()).toBe(0);
});

test("whoever serves a stream hears, once, that what came on it cannot be taken", () => {
  const { stream, events } = openStream();
  stream.receive(Buffer.from([0, 0, 0, 8, 0]));
  stream.halfClosed();
  stream.closed();
  expect(events).toEqual(["failed RESOURCE_EXHAUSTED"]);
});

test("a stream that was refused is given up if it does not end by itself, and leaves nothing to do if it does", () => {
  const lasting = openStream("refused");
  lasting.clock.advance(10_000);
  expect(lasting.abandoned()).toBe(1);
  const ended = openStream("refused");
  ended.stream.receive(Buffer.from([0, 0, 0, 8, 0]));
  ended.stream.closed();
  ended.clock.advance(10_000);
  expect(ended.abandoned()).toBe(0);
});

test.each([
  ["does not ask in time", "DEADLINE_EXCEEDED", ["no request came"]],
  ["is no proxy", "PERMISSION_DENIED", ["gRPC: PERMISSION_DENIED"]],
  ["is ended by a fault of ours", "INTERNAL", []],
  ["comes while the server stops", "UNAVAILABLE", []],
] as const)("who %s before a request was read is blamed only for what it did itself", (_what, code, blame) => {
  const { stream, conduct, blamed } = openStream();
  stream.end(code, "");
  stream.closed();
  conduct.end();
  expect(blamed).toEqual(blame);
});

test("who finds the server full is not blamed, though it is told with a status that clients get for asking too much", () => {
  const { stream, conduct, blamed } = openStream();
  stream.end("RESOURCE_EXHAUSTED", "", true);
  stream.closed();
  conduct.end();
  expect(blamed).toEqual([]);
});

test("a client whose bytes are no message is to blame, with whatever status its stream ends", () => {
  const { stream, conduct, blamed } = openStream();
  stream.receive(Buffer.from([9, 0, 0, 0, 0]));
  conduct.end();
  expect(blamed).toEqual(["gRPC: INTERNAL"]);
});
