import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { Client, credentials, status } from "@grpc/grpc-js";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { envoy } from "../../proto/gen/discovery.js";
import { jsonLog, metricsRegistry, systemClock } from "../../src/lib/mod.ts";
import {
  type DeliveryObserver,
  type Peer,
  startXdsServer,
  TYPE_URLS,
  type XdsServer,
  type XdsServerOptions,
} from "../../src/xds/mod.ts";
import { type ClientCredentials, connectDelta, type DeltaClient } from "../support/delta-client.ts";
import { carriers } from "../support/transports.ts";
import { until } from "../support/until.ts";
import { type TestAuthority, type TestTables, testAuthority, testTables } from "../support/xds-mesh.ts";
import { tableOf } from "./conversation.ts";

const { DiscoveryRequest, DiscoveryResponse } = envoy.service.discovery.v3;

/** Longer than the 64 characters of a common name in X.520, as OSM's are. */
const BUYER = {
  uuid: "3f5c9c1e-0000-4000-8000-000000000001",
  serviceAccount: "bookbuyer",
  namespace: "a-long-namespace-name",
};
const NOBODY = { ...BUYER, uuid: "3f5c9c1e-0000-4000-8000-00000000dead" };

interface Mesh {
  readonly server: XdsServer;
  readonly tables: TestTables;
  readonly events: string[];
  readonly logged: string[];
  readonly address: string;
  metric(name: string, labels?: Record<string, string>): number;
  connect(options?: {
    credentials?: ClientCredentials | { rootsPem: string };
    nodeId?: string;
    address?: string;
  }): DeltaClient;
}

describe.each(carriers)("the xDS server on $carrier", ({ options: carrier }) => {
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

  async function startMesh(options: Partial<XdsServerOptions> = {}): Promise<Mesh> {
    const tables = testTables();
    const events: string[] = [];
    const logged: string[] = [];
    const metrics = metricsRegistry();
    const server = await startXdsServer({
      addresses: ["127.0.0.1:0"],
      credentials: await authority.server(),
      ...carrier,
      authenticate,
      tables,
      observe: recorder(events),
      clock: systemClock(),
      log: jsonLog({ write: (line) => logged.push(line), now: () => 0 }),
      metrics,
      ...options,
    });
    opened.push(server);
    const [address = ""] = server.addresses;
    return {
      server,
      tables,
      events,
      logged,
      address,
      metric(name, labels = {}) {
        const family = metrics.families().find((one) => one.name === name);
        const series = family?.series.find((one) => JSON.stringify(one.labels) === JSON.stringify(labels));
        return series?.value ?? 0;
      },
      connect({ credentials = buyer, nodeId, address: other = address } = {}) {
        const client = connectDelta({ address: other, credentials, ...(nodeId === undefined ? {} : { nodeId }) });
        opened.push(client);
        return client;
      },
    };
  }

  test("serves a proxy with a certificate of the CA, over TCP and over a unix socket", async () => {
    const folder = mkdtempSync(join(tmpdir(), "xds-"));
    opened.push({ close: () => rmSync(folder, { recursive: true }) });
    const mesh = await startMesh({ addresses: ["127.0.0.1:0", `unix:${folder}/xds.sock`] });
    mesh.tables.publish(tableOf(7, new Map([["cds/shop", "c1"]])));
    for (const address of mesh.server.addresses) {
      const client = mesh.connect({ address });
      client.send({ typeUrl: TYPE_URLS.cluster });
      const response = await client.next();
      expect(response.systemVersionInfo).toBe("7");
      expect(response.resources.map(({ name, version }) => `${name}=${version}`)).toEqual(["shop=c1"]);
      expect(response.resources[0]?.resource?.type_url).toBe(TYPE_URLS.cluster);
      expect(Buffer.from(response.resources[0]?.resource?.value ?? []).toString()).toBe("c1");
      client.ack(response);
      client.close();
    }
  });

  test("a reconnecting proxy gets no resource bytes when nothing has changed, and what has changed when it has", async () => {
    const mesh = await startMesh();
    mesh.tables.publish(
      tableOf(
        1,
        new Map([
          ["eds/shop", "e1"],
          ["eds/till", "e1"],
        ]),
      ),
    );
    const held = { typeUrl: TYPE_URLS.endpoints, resourceNamesSubscribe: ["shop", "till"] };
    const client = mesh.connect();
    client.send({ ...held, initialResourceVersions: { shop: "e1", till: "e1" } });
    const answer = await client.next();
    expect(answer.resources).toEqual([]);
    expect(answer.removedResources).toEqual([]);
    client.ack(answer);
    client.close();

    mesh.tables.publish(tableOf(2, new Map([["eds/shop", "e2"]])));
    const again = mesh.connect();
    again.send({ ...held, initialResourceVersions: { shop: "e1", till: "e1" } });
    const changed = await again.next();
    expect(changed.resources.map(({ name, version }) => `${name}=${version}`)).toEqual(["shop=e2"]);
    again.ack(changed);
    expect((await again.next()).removedResources).toEqual(["till"]);
    expect(mesh.metric("osm_proxy_reconnect_count")).toBe(2);
    expect(mesh.metric("osm_xds_resources_sent_total", { type: "EDS" })).toBe(1);
  });

  test("serves state of the world to sidecars that ask for it, with decimal versions", async () => {
    const mesh = await startMesh();
    mesh.tables.publish(tableOf(7, new Map([["cds/shop", "c1"]])));
    const client = new Client(
      mesh.address,
      credentials.createSsl(
        Buffer.from(buyer.rootsPem),
        Buffer.from(buyer.privateKeyPem),
        Buffer.from(buyer.certificatePem),
      ),
      { "grpc.ssl_target_name_override": "localhost" },
    );
    opened.push(client);
    const asItIs = (bytes: Buffer) => bytes;
    const method = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";
    const call = client.makeBidiStreamRequest(method, asItIs, asItIs);
    call.on("error", () => undefined);
    call.write(Buffer.from(DiscoveryRequest.encode({ typeUrl: TYPE_URLS.cluster, versionInfo: "41" }).finish()));
    const [bytes] = (await once(call, "data")) as [Buffer];
    const response = DiscoveryResponse.decode(bytes);
    expect([response.versionInfo, response.resources.length]).toEqual(["42", 1]);
    call.cancel();
  });

  test.each([
    ["no certificate", () => ({ rootsPem: authority.rootsPem })],
    [
      "a certificate of another CA",
      async () => ({ ...(await (await testAuthority()).sidecar(BUYER)), rootsPem: authority.rootsPem }),
    ],
  ])("refuses a client with %s at once", async (_what, credentialsOf) => {
    const mesh = await startMesh();
    const client = mesh.connect({ credentials: await credentialsOf() });
    client.send({ typeUrl: TYPE_URLS.cluster });
    expect((await client.ended).code).toBe(status.UNAVAILABLE);
    expect(mesh.events).toEqual([]);
  });

  test("refuses a certificate that names no pod at once, and says why once", async () => {
    const mesh = await startMesh();
    const client = mesh.connect({ credentials: await authority.sidecar(NOBODY) });
    const { code, details } = await client.ended;
    expect(code).toBe(status.PERMISSION_DENIED);
    expect(details).toContain("no pod");
    expect(mesh.logged.filter((line) => line.includes(NOBODY.uuid))).toHaveLength(1);
    expect(mesh.metric("osm_xds_streams_refused_total", { reason: "identity" })).toBe(1);
  });

  test("refuses an expired certificate, also when its TLS session is older", async () => {
    const real = systemClock();
    const mesh = await startMesh({ clock: { ...real, now: () => real.now() + 48 * 3_600_000 } });
    const { code, details } = await mesh.connect().ended;
    expect(code).toBe(status.UNAUTHENTICATED);
    expect(details).toContain("expired");
  });

  test("closes a stream whose node id is another proxy's before anything is sent", async () => {
    const mesh = await startMesh();
    mesh.tables.publish(tableOf(1, new Map([["sds/service-cert", "secret"]])));
    const client = mesh.connect({ nodeId: NOBODY.uuid });
    client.send({ typeUrl: TYPE_URLS.secret, resourceNamesSubscribe: ["service-cert"] });
    expect((await client.ended).code).toBe(status.PERMISSION_DENIED);
    expect(client.waiting).toEqual([]);
    expect(mesh.events).toEqual(["connected", "disconnected"]);
    expect(mesh.tables.subscribers).toBe(0);
  });

  test("takes the uuid and the certificate's common name as node id", async () => {
    const mesh = await startMesh();
    mesh.tables.publish(tableOf(1, new Map()));
    const commonName = `${BUYER.uuid}.sidecar.${BUYER.serviceAccount}.${BUYER.namespace}.cluster.local`;
    expect(commonName.length).toBeGreaterThan(64);
    for (const nodeId of [BUYER.uuid, commonName]) {
      const client = mesh.connect({ nodeId });
      client.send({ typeUrl: TYPE_URLS.cluster });
      await client.next();
      client.close();
    }
  });

  test("answers nothing until the first table is complete, and pushes each change after it", async () => {
    const mesh = await startMesh();
    const client = mesh.connect();
    client.send({ typeUrl: TYPE_URLS.cluster });
    await until(() => mesh.metric("osm_proxy_xds_request_count", { type: "CDS" }) === 1);
    mesh.tables.publish(tableOf(1, new Map([["cds/a", "1"]])));
    const first = await client.next();
    client.ack(first);
    await until(() => mesh.events.includes("settled 1"));
    mesh.tables.publish(tableOf(2, new Map([["cds/a", "2"]])));
    const second = await client.next();
    client.nack(second, "Error adding/updating cluster(s) a: no");
    await until(() => mesh.events.includes("nacked a: Error adding/updating cluster(s) a: no"));
    expect(mesh.events.slice(0, 5)).toEqual(["connected", "sent a=1", "acked", "settled 1", "sent a=2"]);
    expect(mesh.metric("osm_xds_nacks_total", { type: "CDS" })).toBe(1);
  });

  test("ends a stream that asks for too much, and one that sends what is no request", async () => {
    const mesh = await startMesh({ limits: { requestBytesMax: 1000, namesMax: 3 } });
    mesh.tables.publish(tableOf(1, new Map()));
    const tooMany = mesh.connect();
    tooMany.send({ typeUrl: TYPE_URLS.endpoints, resourceNamesSubscribe: ["a", "b", "c", "d"] });
    expect((await tooMany.ended).code).toBe(status.RESOURCE_EXHAUSTED);
    const tooLarge = mesh.connect();
    tooLarge.send({ typeUrl: "x".repeat(2000) });
    expect((await tooLarge.ended).code).toBe(status.RESOURCE_EXHAUSTED);
    const garbage = mesh.connect();
    garbage.sendRaw(Buffer.from([0xff, 0xff, 0xff, 0xff]));
    expect((await garbage.ended).code).toBe(status.INVALID_ARGUMENT);
    const fine = mesh.connect();
    fine.send({ typeUrl: TYPE_URLS.cluster });
    await fine.next();
  });

  test("ends a stream on which nothing is asked", async () => {
    const mesh = await startMesh({ limits: { firstRequestMs: 50 } });
    expect((await mesh.connect().ended).code).toBe(status.DEADLINE_EXCEEDED);
  });

  test("the newest streams of a proxy win, and the server as a whole has a bound", async () => {
    const mesh = await startMesh({ limits: { streamsPerPeerMax: 2, streamsMax: 3 } });
    mesh.tables.publish(tableOf(1, new Map()));
    const clients: DeltaClient[] = [];
    for (let n = 0; n < 3; n++) {
      const client = mesh.connect();
      client.send({ typeUrl: TYPE_URLS.cluster });
      await client.next();
      clients.push(client);
    }
    expect((await clients[0]?.ended)?.code).toBe(status.ABORTED);
    expect(mesh.metric("osm_proxy_connect_count")).toBe(2);
    const bounded = await startMesh({ limits: { streamsMax: 0 } });
    expect((await bounded.connect().ended).code).toBe(status.RESOURCE_EXHAUSTED);
    expect(bounded.metric("osm_proxy_max_connections_rejected")).toBe(1);
  });

  test("ends the stream of a proxy whose pod is gone", async () => {
    const mesh = await startMesh();
    mesh.tables.publish(tableOf(1, new Map()));
    const client = mesh.connect();
    client.send({ typeUrl: TYPE_URLS.cluster });
    await client.next();
    mesh.server.endPeer(BUYER.uuid, "its pod is gone");
    expect(await client.ended).toMatchObject({ code: status.PERMISSION_DENIED, details: "its pod is gone" });
  });

  test("a slow reader is sent one response and later the newest state, not all that happened between", async () => {
    const mesh = await startMesh();
    const big = (version: number) => String(version).padEnd(2_000_000, "x");
    const publish = (version: number) =>
      mesh.tables.publish(
        tableOf(
          version,
          new Map([
            ["cds/a", big(version)],
            ["eds/a", big(version)],
          ]),
        ),
      );
    publish(1);
    const client = mesh.connect();
    client.pause();
    client.send({ typeUrl: TYPE_URLS.cluster });
    client.send({ typeUrl: TYPE_URLS.endpoints, resourceNamesSubscribe: ["a"] });
    await until(() => mesh.events.length >= 2);
    for (let version = 2; version <= 20; version++) publish(version);
    client.resume();
    const [clusters, endpoints] = [await client.next(), await client.next()];
    expect(clusters.systemVersionInfo).toBe("1");
    client.ack(clusters);
    client.ack(endpoints);
    expect((await client.next()).systemVersionInfo).toBe("20");
    expect((await client.next()).systemVersionInfo).toBe("20");
    expect(mesh.events.filter((event) => event.startsWith("sent"))).toHaveLength(4);
  });

  test("a renewed server certificate is shown to new connections, and open streams stay", async () => {
    const mesh = await startMesh();
    mesh.tables.publish(tableOf(1, new Map()));
    const client = mesh.connect();
    client.send({ typeUrl: TYPE_URLS.cluster });
    client.ack(await client.next());
    const before = await serverSerial(mesh.address, buyer);
    mesh.server.renewCredentials(await authority.server());
    expect(await serverSerial(mesh.address, buyer)).not.toBe(before);
    mesh.tables.publish(tableOf(2, new Map([["cds/a", "1"]])));
    expect((await client.next()).systemVersionInfo).toBe("2");
  });

  test("an address in use is one sentence that names it", async () => {
    const mesh = await startMesh();
    await expect(startMesh({ addresses: [mesh.address] })).rejects.toThrow(
      `cannot listen for proxies on ${mesh.address}`,
    );
  });

  test("closing tells every proxy that it may come back", async () => {
    const mesh = await startMesh();
    mesh.tables.publish(tableOf(1, new Map()));
    const client = mesh.connect();
    client.send({ typeUrl: TYPE_URLS.cluster });
    await client.next();
    await mesh.server.close();
    expect((await client.ended).code).toBe(status.UNAVAILABLE);
    expect(mesh.tables.subscribers).toBe(0);
    expect(mesh.metric("osm_proxy_connect_count")).toBe(0);
  });
});

const authenticate: XdsServerOptions["authenticate"] = ({ commonName, dnsNames }): Peer | { refusal: string } => {
  const [uuid = "", , serviceAccount = "", namespace = ""] = commonName.split(".");
  expect(dnsNames).toEqual([commonName]);
  if (uuid !== BUYER.uuid) return { refusal: `no pod carries the label osm-proxy-uuid=${uuid}` };
  return { uuid, serviceAccount, namespace, pod: "bookbuyer-1" };
};

function recorder(events: string[]): DeliveryObserver {
  return {
    connected: () => void events.push("connected"),
    disconnected: () => void events.push("disconnected"),
    sent(_stream, { resources }) {
      events.push(
        `sent ${resources.map(({ name, version }) => `${name}=${version.slice(0, 2).replace("x", "")}`).join(" ")}`,
      );
    },
    acked: () => void events.push("acked"),
    nacked: (_stream, { names, message }) => void events.push(`nacked ${names.join(" ")}: ${message}`),
    held: (_stream, typeUrl) => void events.push(`holds ${typeUrl}`),
    settled: (_stream, generation) => void events.push(`settled ${generation}`),
  };
}

function serverSerial(
  address: string,
  { certificatePem, privateKeyPem, rootsPem }: ClientCredentials,
): Promise<string> {
  const [host = "", port = ""] = address.split(":");
  return new Promise((resolve, reject) => {
    const socket = connect(
      {
        host,
        port: Number(port),
        ca: rootsPem,
        cert: certificatePem,
        key: privateKeyPem,
        servername: "localhost",
        ALPNProtocols: ["h2"],
      },
      () => {
        const raw = socket.getPeerCertificate().raw;
        socket.destroy();
        resolve(new X509Certificate(raw).serialNumber);
      },
    );
    socket.on("error", reject);
  });
}
