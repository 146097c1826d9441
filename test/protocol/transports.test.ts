/** Our own transports, met by clients that keep to no rules; what all of them do for proper ones is in server.test.ts. */
import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import { createConnection, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { envoy } from "../../proto/gen/discovery.js";
import { jsonLog, metricsRegistry, silentLog, systemClock } from "../../src/lib/mod.ts";
import { startXdsServer, TYPE_URLS, type XdsServerOptions } from "../../src/xds/mod.ts";
import { type ClientCredentials, connectDelta } from "../support/delta-client.ts";
import { skipOnDeno } from "../support/needs.ts";
import { carriers } from "../support/transports.ts";
import { until } from "../support/until.ts";
import { type TestAuthority, testAuthority, testTables } from "../support/xds-mesh.ts";
import { tableOf } from "./conversation.ts";

const { DeltaDiscoveryRequest, DeltaDiscoveryResponse } = envoy.service.discovery.v3;
const BUYER = { uuid: "3f5c9c1e-0000-4000-8000-000000000001", serviceAccount: "bookbuyer", namespace: "shop" };
const PATH = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
const own = carriers.filter(({ carrier }) => carrier !== "grpc-js");

describe.each(own)("a client of the transport $carrier", ({ options: carrier }) => {
  let authority: TestAuthority;
  let buyer: ClientCredentials;
  const opened: { close(): unknown }[] = [];

  beforeAll(async () => {
    authority = await testAuthority();
    buyer = await authority.sidecar(BUYER);
  });
  afterEach(async () => {
    for (const one of opened.splice(0).reverse()) await one.close();
  });

  async function startServer(options: Partial<XdsServerOptions> = {}) {
    const tables = testTables();
    tables.publish(tableOf(1, new Map([["cds/shop", "c1"]])));
    const metrics = metricsRegistry();
    const server = await startXdsServer({
      addresses: ["127.0.0.1:0"],
      credentials: await authority.server(),
      ...carrier,
      authenticate: () => ({ ...BUYER, pod: "bookbuyer-1" }),
      tables,
      observe: nobody,
      clock: systemClock(),
      log: silentLog(),
      metrics,
      ...options,
    });
    opened.push(server);
    const [address = ""] = server.addresses;
    const series = (wanted: string) => metrics.families().find(({ name }) => name === wanted)?.series ?? [];
    const handshakes = (result: string) =>
      series("osm_xds_handshakes_total").find(({ labels }) => labels["result"] === result)?.value ?? 0;
    const underWay = () => series("osm_xds_handshakes_in_flight")[0]?.value;
    const heldBack = () => series("osm_xds_addresses_held_back")[0]?.value ?? 0;
    return { server, address, tables, handshakes, underWay, heldBack };
  }

  function session(address: string): ClientHttp2Session {
    const tls = { ca: buyer.rootsPem, cert: buyer.certificatePem, key: buyer.privateKeyPem, servername: "localhost" };
    const client = connect(`https://${address}`, tls);
    client.on("error", () => undefined);
    opened.push({ close: () => client.destroy() });
    return client;
  }

  function request(client: ClientHttp2Session, headers: Record<string, string> = {}): ClientHttp2Stream {
    const stream = client.request(
      { ":method": "POST", ":path": PATH, "content-type": "application/grpc", te: "trailers", ...headers },
      { endStream: false },
    );
    stream.on("error", () => undefined);
    return stream;
  }

  test.each([
    ["another method", { ":path": "/envoy.service.discovery.v3.ClusterDiscoveryService/StreamClusters" }, 200, "12"],
    ["what is no gRPC", { "content-type": "application/json" }, 415, undefined],
    ["what is no request", { ":method": "PUT" }, 405, undefined],
  ])("is told at once that %s is not served", async (_what, headers, httpStatus, grpcStatus) => {
    const { address } = await startServer();
    const stream = request(session(address), headers);
    stream.write(prefixed({ typeUrl: TYPE_URLS.cluster }));
    const answer = await statusOf(stream);
    expect([Number(answer[":status"]), answer["grpc-status"]]).toEqual([httpStatus, grpcStatus]);
  });

  test("may cut its messages anywhere, and put several into one write", async () => {
    const { address } = await startServer();
    const stream = request(session(address));
    const subscribe = prefixed({ typeUrl: TYPE_URLS.cluster });
    for (const byte of subscribe) stream.write(Buffer.of(byte));
    const [chunk] = (await once(stream, "data")) as [Buffer];
    const first = DeltaDiscoveryResponse.decode(chunk.subarray(5));
    expect(first.resources.map(({ name }) => name)).toEqual(["shop"]);
    const ack = prefixed({ typeUrl: TYPE_URLS.cluster, responseNonce: first.nonce });
    stream.write(Buffer.concat([ack, prefixed({ typeUrl: TYPE_URLS.listener })]));
    const [second] = (await once(stream, "data")) as [Buffer];
    expect(DeltaDiscoveryResponse.decode(second.subarray(5)).typeUrl).toBe(TYPE_URLS.listener);
  });

  test.each([
    ["is compressed", Buffer.from([1, 0, 0, 0, 1, 0]), "12"],
    ["claims to be too long", Buffer.from([0, 0, 64, 0, 1]), "8"],
    ["is no discovery request", Buffer.from([0, 0, 0, 0, 2, 0xff, 0xff]), "3"],
  ])("whose message %s loses that stream, hears why, and may open another", async (_what, bytes, expected) => {
    const { address, tables } = await startServer();
    const client = session(address);
    const stream = request(client);
    stream.write(bytes);
    const ended = await statusOf(stream);
    expect(ended["grpc-status"]).toBe(expected);
    expect(decodeURIComponent(ended["grpc-message"] ?? "")).not.toBe("");
    await until(() => tables.subscribers === 0);
    const next = request(client);
    next.write(prefixed({ typeUrl: TYPE_URLS.cluster }));
    await once(next, "data");
  });

  test("that leaves in the middle of a message, or resets its stream, leaves nothing behind", async () => {
    const { address, tables } = await startServer();
    const client = session(address);
    const half = request(client);
    half.end(Buffer.from([0, 0, 0, 0, 9, 1]));
    expect((await statusOf(half))["grpc-status"]).toBe("13");
    const reset = request(client);
    reset.write(prefixed({ typeUrl: TYPE_URLS.cluster }));
    await once(reset, "data");
    reset.close(constants.NGHTTP2_CANCEL);
    await until(() => tables.subscribers === 0);
  });

  test("that floods with requests is read no further, and others are served", async () => {
    const { address } = await startServer();
    const flood = request(session(address));
    const same = prefixed({ typeUrl: TYPE_URLS.cluster, responseNonce: "unknown" });
    for (let n = 0; n < 40; n++) flood.write(Buffer.concat(Array<Buffer>(1000).fill(same)));
    const honest = connectDelta({ address, credentials: buyer });
    opened.push(honest);
    honest.send({ typeUrl: TYPE_URLS.cluster });
    await honest.next();
    await new Promise((resolve) => setImmediate(resolve));
    expect(flood.writableLength).toBeGreaterThan(0);
  });

  test("does not wait for those that say nothing, or no TLS", async () => {
    const { address, handshakes } = await startServer();
    const silent = Array.from({ length: 50 }, () => plain(address));
    await Promise.all(silent.map((socket) => once(socket, "connect")));
    const garbage = plain(address);
    garbage.write("GET / HTTP/1.1\r\n\r\n");
    const closed = once(garbage, "close");
    const honest = connectDelta({ address, credentials: buyer });
    opened.push(honest);
    honest.send({ typeUrl: TYPE_URLS.cluster });
    await honest.next();
    await closed;
    await until(() => handshakes("full") === 1 && handshakes("failed") === 1);
  });

  test("whose certificate is another CA's, or that shows none, takes no place from others", async () => {
    const { address, handshakes, underWay } = await startServer();
    const stranger = await (await testAuthority()).sidecar(BUYER);
    tls(address, { cert: stranger.certificatePem, key: stranger.privateKeyPem });
    tls(address, { cert: undefined, key: undefined });
    await until(() => handshakes("failed") === 2);
    expect(underWay()).toBe(0);
  });

  test("whose connections come to nothing has its address held back, until a client there speaks xDS", async () => {
    const logged: string[] = [];
    const log = jsonLog({ write: (line) => void logged.push(line), now: () => 0 });
    const { address, heldBack, tables } = await startServer({ log });
    while (heldBack() === 0) {
      const client = session(address);
      const stream = request(client);
      stream.write(Buffer.from([0, 0, 0, 0, 2, 0xff, 0xff]));
      await statusOf(stream);
      client.destroy();
    }
    const warning = logged.map((line) => JSON.parse(line)).find(({ cause }) => cause === "gRPC: INVALID_ARGUMENT");
    expect(warning).toMatchObject({ level: "warn", address: "127.0.0.1" });
    while (heldBack() > 0) {
      const proper = connectDelta({ address, credentials: buyer });
      proper.send({ typeUrl: TYPE_URLS.cluster });
      proper.ack(await proper.next());
      proper.send({ typeUrl: TYPE_URLS.listener });
      await proper.next();
      proper.close();
      await until(() => tables.subscribers === 0);
    }
  });

  test("whose requests are proper, but that leaves before it has answered, is not to blame", async () => {
    const { address, heldBack, tables } = await startServer();
    for (let n = 0; n < 16; n++) {
      const client = session(address);
      const stream = request(client);
      stream.write(prefixed({ typeUrl: TYPE_URLS.cluster }));
      await once(stream, "data");
      client.destroy();
      await until(() => tables.subscribers === 0);
    }
    expect(heldBack()).toBe(0);
  });

  test("is told that the server stops, while one whose handshake hangs is dropped", async () => {
    const { server, address, underWay } = await startServer();
    const proper = connectDelta({ address, credentials: buyer });
    proper.send({ typeUrl: TYPE_URLS.cluster });
    await proper.next();
    const hanging = plain(address);
    hanging.write(Buffer.from([22, 3, 1, 0, 100]));
    await until(() => underWay() === 1);
    const closed = once(hanging, "close");
    await server.close();
    expect(await proper.ended).toEqual({ code: 14, details: "the control plane is stopping" });
    await closed;
  });

  test("of TLS 1.2 is served, for a MeshConfig may hold sidecars to it", async () => {
    const { address } = await startServer();
    const socket = await tlsTo(address, { maxVersion: "TLSv1.2" });
    expect([socket.getProtocol(), socket.alpnProtocol]).toEqual(["TLSv1.2", "h2"]);
  });

  describe("with a TLS session", () => {
    beforeEach((context) => skipOnDeno(context, "resumption of TLS sessions"));

    const ticketKeys = Buffer.alloc(48, 7);

    test("resumes it at another process that has the same keys, and not after the keys have changed", async () => {
      const first = await startServer({ ticketKeys });
      const session = await sessionOf(first.address);
      const second = await startServer({ ticketKeys });
      expect((await tlsTo(second.address, { session })).isSessionReused()).toBe(true);
      second.server.renewCredentials(await authority.server());
      expect((await tlsTo(second.address, { session })).isSessionReused()).toBe(true);
      second.server.renewTicketKeys(Buffer.alloc(48, 8));
      expect((await tlsTo(second.address, { session })).isSessionReused()).toBe(false);
      await until(() => second.handshakes("resumed") === 2 && second.handshakes("full") === 1);
    });

    test("is refused when the CA of its certificate is believed no more", async () => {
      const { server, address, handshakes } = await startServer({ ticketKeys });
      const session = await sessionOf(address);
      const other = await (await testAuthority()).server();
      server.renewCredentials({ ...(await authority.server()), clientCaPem: other.clientCaPem });
      const socket = await tlsTo(address, { session });
      if (!socket.closed) await once(socket, "close");
      await until(() => handshakes("refused") === 1);
    });

    /** Opens a connection and waits for the ticket that TLS 1.3 sends after the handshake. */
    async function sessionOf(address: string): Promise<Buffer> {
      const socket = tls(address);
      const [session] = (await once(socket, "session")) as [Buffer];
      return session;
    }
  });

  function tls(address: string, options: Record<string, unknown> = {}): TLSSocket {
    const [host = "", port = ""] = address.split(":");
    const { rootsPem: ca, certificatePem: cert, privateKeyPem: key } = buyer;
    const socket = connectTls({
      host,
      port: Number(port),
      ca,
      cert,
      key,
      servername: "localhost",
      ALPNProtocols: ["h2"],
      ...options,
    });
    socket.on("error", () => undefined);
    socket.resume();
    opened.push({ close: () => socket.destroy() });
    return socket;
  }

  async function tlsTo(address: string, options: Record<string, unknown>): Promise<TLSSocket> {
    const socket = tls(address, options);
    await once(socket, "secureConnect");
    return socket;
  }

  function plain(address: string): Socket {
    const [host = "", port = ""] = address.split(":");
    const socket = createConnection({ host, port: Number(port) });
    socket.on("error", () => undefined);
    opened.push({ close: () => socket.destroy() });
    return socket;
  }
});

const nothing = () => undefined;
const nobody: XdsServerOptions["observe"] = {
  connected: nothing,
  disconnected: nothing,
  sent: nothing,
  acked: nothing,
  nacked: nothing,
  held: nothing,
  settled: nothing,
};

function prefixed(request: envoy.service.discovery.v3.DeltaDiscoveryRequest.$Properties): Buffer {
  const message = DeltaDiscoveryRequest.encode(request).finish();
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** The gRPC status of a stream, in its trailers or in headers alone. */
async function statusOf(stream: ClientHttp2Stream): Promise<Record<string, string | undefined>> {
  const seen: Record<string, string | undefined> = {};
  stream.on("response", (headers) => Object.assign(seen, headers));
  stream.on("trailers", (headers) => Object.assign(seen, headers));
  stream.resume();
  await once(stream, "close");
  return seen;
}
