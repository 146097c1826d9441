/** Whatever carries streams: a request's head is answered as gRPC's own server does, and as its specification says. */
import { once } from "node:events";
import { type ClientHttp2Session, connect } from "node:http2";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { envoy } from "../../proto/gen/discovery.js";
import { metricsRegistry, silentLog, systemClock } from "../../src/lib/mod.ts";
import { startXdsServer, TYPE_URLS } from "../../src/xds/mod.ts";
import { skipOnDeno } from "../support/needs.ts";
import { carriers } from "../support/transports.ts";
import { until } from "../support/until.ts";
import { type TestTables, testAuthority, testTables } from "../support/xds-mesh.ts";
import { tableOf } from "./conversation.ts";

const { DeltaDiscoveryRequest } = envoy.service.discovery.v3;
const BUYER = { uuid: "3f5c9c1e-0000-4000-8000-000000000001", serviceAccount: "bookbuyer", namespace: "shop" };
const PATH = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
const PLAIN = { ":method": "POST", ":path": PATH, "content-type": "application/grpc", te: "trailers" };
type Refused = readonly [what: string, headers: Record<string, string | undefined>, expected: Record<string, unknown>];

const ignore = () => undefined;

const authority = await testAuthority();
const [ofServer, ofBuyer] = await Promise.all([authority.server(), authority.sidecar(BUYER)]);

describe.each(carriers)("the server on $carrier", ({ options: carrier }) => {
  let tables: TestTables;
  let client: ClientHttp2Session;
  const opened: { close(): unknown }[] = [];

  beforeAll(async () => {
    tables = testTables();
    tables.publish(tableOf(1, new Map([["cds/shop", "c1"]])));
    const server = await startXdsServer({
      addresses: ["127.0.0.1:0"],
      credentials: ofServer,
      ...carrier,
      authenticate: () => ({ ...BUYER, pod: "bookbuyer-1" }),
      tables,
      observe: {
        connected: ignore,
        disconnected: ignore,
        sent: ignore,
        acked: ignore,
        nacked: ignore,
        held: ignore,
        settled: ignore,
      },
      clock: systemClock(),
      log: silentLog(),
      metrics: metricsRegistry(),
    });
    const { rootsPem: ca, certificatePem: cert, privateKeyPem: key } = ofBuyer;
    client = connect(`https://${server.addresses[0]}`, { ca, cert, key, servername: "localhost" });
    client.on("error", ignore);
    opened.push(server, { close: () => client.destroy() });
  });
  afterAll(async () => {
    for (const one of opened.splice(0).reverse()) await one.close();
  });

  /** Asks for clusters, and for nothing more. */
  function ask(headers: Readonly<Record<string, string | undefined>>, flags = 0) {
    const kept = Object.entries({ ...PLAIN, ...headers }).filter(([, value]) => value !== undefined);
    const stream = client.request(Object.fromEntries(kept), { endStream: false });
    const heard: Record<string, unknown> = {};
    stream.on("error", ({ message }) => {
      heard["error"] = message;
    });
    for (const event of ["response", "trailers"]) stream.on(event, (fields) => Object.assign(heard, fields));
    const message = DeltaDiscoveryRequest.encode({ typeUrl: TYPE_URLS.cluster }).finish();
    stream.write(Buffer.concat([Buffer.of(flags, 0, 0, 0, message.length), message]));
    return { stream, heard };
  }

  test.each([
    ["that names protobuf", { "content-type": "application/grpc+proto" }],
    [
      "that names a format it does not have, whose messages say what they are",
      { "content-type": "application/grpc+json" },
    ],
    ["with parameters of the content type", { "content-type": "application/grpc;charset=utf-8" }],
    ["without te", { te: undefined }],
    ["that could compress", { "grpc-encoding": "gzip", "grpc-accept-encoding": "br,gzip" }],
    ["with the longest time", { "grpc-timeout": "99999999H" }],
  ])("serves a call %s", async (_what, headers) => {
    const { stream } = ask(headers);
    const [bytes] = (await once(stream, "data")) as [Buffer];
    expect(bytes.length).toBeGreaterThan(5);
    stream.close();
    await until(() => tables.subscribers === 0);
  });

  test.for<Refused>([
    ["a method that is not there", { ":path": "/shop.Books/Buy" }, { ":status": 200, "grpc-status": "12" }],
    ["no content type", { "content-type": undefined }, { ":status": 415 }],
    ["another content type", { "content-type": "text/html" }, { ":status": 415 }],
    ["a time that is none", { "grpc-timeout": "1x" }, { ":status": 200, "grpc-status": "13" }],
    ["a path that is none", { ":path": PATH.slice(1) }, { error: expect.stringContaining("PROTOCOL_ERROR") }],
  ])("refuses a call with %s, as HTTP and gRPC say it", async ([, headers, expected], context) => {
    if ("error" in expected) skipOnDeno(context, "code of a stream's reset");
    if (carrier.transport === "grpc-js" && expected[":status"] === 415) skipOnDeno(context, "status of grpc-js's own");
    const { heard } = ask(headers);
    await until(() => Object.keys(expected).every((name) => name in heard));
    expect(heard).toMatchObject(expected);
    expect(tables.subscribers).toBe(0);
  });

  test("ends a call when the time that its client gave it is over", async () => {
    const { stream, heard } = ask({ "grpc-timeout": "20m" });
    stream.resume();
    await until(() => "grpc-status" in heard);
    expect(heard["grpc-status"]).toBe("4");
    await until(() => tables.subscribers === 0);
  });

  test("says what it can read to a client whose message is compressed", async (context) => {
    if (carrier.transport === "grpc-js") context.skip("unobtainable: grpc-js reads gzip and says so each time");
    const { heard } = ask({ "grpc-encoding": "gzip" }, 1);
    await until(() => "grpc-status" in heard);
    expect(heard).toMatchObject({ "grpc-status": "12", "grpc-accept-encoding": "identity" });
  });
});
