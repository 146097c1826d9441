import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Agent, createServer, get, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { envoy } from "../../proto/gen/envoy.js";
import { bootstrapFiles } from "../../src/envoy/bootstrap.ts";
import { contentHash, metricsRegistry, silentLog, systemClock } from "../../src/lib/mod.ts";
import {
  type DeliveryObserver,
  startXdsServer,
  TYPE_URLS,
  type TypeUrl,
  XDS_TRANSPORTS,
  type XdsServer,
} from "../../src/xds/mod.ts";
import type { Resource, ResourceTable } from "../../src/xds/resource.ts";
import { type TestAuthority, type TestTables, testAuthority, testTables } from "../support/xds-mesh.ts";
import { describeWithEnvoy, envoyBinary } from "./binary.ts";

const { Cluster } = envoy.config.cluster.v3;
const { ClusterLoadAssignment } = envoy.config.endpoint.v3;
const { Listener } = envoy.config.listener.v3;
const { RouteConfiguration } = envoy.config.route.v3;
const { HttpConnectionManager } = envoy.extensions.filters.network.http_connection_manager.v3;
const { Router } = envoy.extensions.filters.http.router.v3;

const PROXY = { uuid: "3f5c9c1e-0000-4000-8000-000000000001", serviceAccount: "bookbuyer", namespace: "shop" };
const ADS = { ads: {}, resourceApiVersion: envoy.config.core.v3.ApiVersion.V3 };

for (const transport of XDS_TRANSPORTS)
  describeWithEnvoy(`a real Envoy on the xDS server on ${transport}`, () => {
    let authority: TestAuthority;
    const opened: (() => unknown)[] = [];

    beforeAll(async () => {
      authority = await testAuthority();
    });
    afterEach(async () => {
      for (const close of opened.splice(0).reverse()) await close();
    });

    /** What the server did, as lines; and how to wait for one. */
    interface Mesh {
      readonly events: string[];
      readonly tables: TestTables;
      port: number;
      server: XdsServer;
      restart(): Promise<void>;
      publish(generation: number, resources: readonly Resource[]): void;
      until(event: string): Promise<void>;
    }

    async function startMesh(): Promise<Mesh> {
      const tables = testTables();
      const events: string[] = [];
      const start = async (port: number) =>
        startXdsServer({
          addresses: [`127.0.0.1:${port}`],
          credentials: await authority.server(),
          transport,
          authenticate: () => ({ ...PROXY, pod: "bookbuyer-1" }),
          tables,
          observe: recorder(events),
          clock: systemClock(),
          log: silentLog(),
          metrics: metricsRegistry(),
        });
      const portOf = (server: XdsServer) => Number(server.addresses[0]?.split(":").at(-1));
      const server = await start(0);
      const mesh: Mesh = {
        events,
        tables,
        server,
        port: portOf(server),
        async restart() {
          await mesh.server.close();
          mesh.server = await start(mesh.port);
        },
        publish: (generation, resources) => tables.publish(tableOf(generation, resources)),
        until: (event) =>
          vi.waitUntil(() => events.includes(event), { timeout: 10_000, interval: 5 }).then(() => undefined),
      };
      opened.push(() => mesh.server.close());
      return mesh;
    }

    async function startEnvoy(mesh: Mesh, protocol: "DELTA_GRPC" | "GRPC"): Promise<void> {
      const folder = mkdtempSync(join(tmpdir(), "ads-"));
      const credential = await authority.sidecar(PROXY);
      const files = bootstrapFiles({
        nodeId: PROXY.uuid,
        cluster: "bookbuyer.shop",
        xds: { host: "127.0.0.1", port: mesh.port, isIp: true },
        controllerSan: "osm-controller.osm-system.svc.cluster.local",
        tls: { minVersion: "TLSv1_2", maxVersion: "TLSv1_3", cipherSuites: [], ecdhCurves: [] },
        caPem: credential.rootsPem,
        certificatePem: credential.certificatePem,
        privateKeyPem: credential.privateKeyPem,
        directory: folder,
        adminPort: 0,
      });
      for (const [name, content] of Object.entries(files)) {
        writeFileSync(join(folder, name), content.replace("DELTA_GRPC", protocol), { mode: 0o600 });
      }
      chmodSync(folder, 0o700);
      const arguments_ = ["-c", join(folder, "bootstrap.yaml"), "--concurrency", "1", "--disable-hot-restart"];
      const child = spawn(envoyBinary ?? "", [...arguments_, "--log-level", "off"], { stdio: "ignore" });
      opened.push(async () => {
        if (child.kill("SIGKILL")) await once(child, "exit");
        rmSync(folder, { recursive: true });
      });
    }

    /** An application that answers with its name. */
    async function startApp(name: string): Promise<number> {
      const app: Server = createServer((_request, response) => response.end(name));
      app.listen(0, "127.0.0.1");
      await once(app, "listening");
      opened.push(() => {
        app.closeAllConnections();
        app.close();
      });
      return (app.address() as AddressInfo).port;
    }

    test.each(["DELTA_GRPC", "GRPC"] as const)(
      "%s: a route moves to a new cluster and the old one goes, without one failed request, and endpoints do not warm",
      async (protocol) => {
        const mesh = await startMesh();
        const [v1, v2] = [await startApp("v1"), await startApp("v2")];
        const port = await freePort();
        mesh.publish(1, [cluster("v1"), endpoints("v1", v1), listener(port), route("v1")]);
        await startEnvoy(mesh, protocol);
        const load = await startLoad(port, opened);
        await vi.waitUntil(() => load.answers.has("v1"), { timeout: 20_000, interval: 5 });
        load.reset();

        mesh.publish(2, [
          cluster("v1"),
          cluster("v2"),
          endpoints("v1", v1),
          endpoints("v2", v2),
          listener(port),
          route("v2"),
        ]);
        await vi.waitUntil(() => load.answers.has("v2"), { timeout: 10_000, interval: 5 });
        await mesh.until("settled 2");
        mesh.publish(3, [cluster("v2"), endpoints("v2", v2), listener(port), route("v2")]);
        await mesh.until("settled 3");
        const started = performance.now();
        mesh.publish(4, [cluster("v2", 7), endpoints("v2", v2), listener(port), route("v2")]);
        await mesh.until("settled 4");
        // Envoy gives up on endpoints that are not sent again after 15 s.
        expect(performance.now() - started).toBeLessThan(3_000);
        expect(load.failures).toEqual([]);
        expect(mesh.events.filter((event) => event.startsWith("nacked"))).toEqual([]);
      },
    );

    test("reconnecting costs no resource and no request; what a refused response brought is removed explicitly", async () => {
      const mesh = await startMesh();
      const v1 = await startApp("v1");
      const port = await freePort();
      const world = [cluster("v1"), endpoints("v1", v1), listener(port), route("v1")];
      mesh.publish(1, world);
      await startEnvoy(mesh, "DELTA_GRPC");
      const load = await startLoad(port, opened);
      await vi.waitUntil(() => load.answers.has("v1"), { timeout: 20_000, interval: 5 });
      load.reset();
      mesh.events.length = 0;
      const sent = () => mesh.events.filter((event) => event.startsWith("sent"));
      await mesh.restart();
      await mesh.until("acked cluster");
      expect(sent()).toEqual(["sent cluster nothing"]);

      // Only an original-destination cluster may balance like this: Envoy refuses the cluster, and names it.
      const bad = cluster("bad", 5, Cluster.LbPolicy.CLUSTER_PROVIDED);
      mesh.publish(2, [...world, cluster("good"), endpoints("good", v1), bad]);
      await vi.waitUntil(() => mesh.events.some((event) => event.startsWith("nacked bad:")), { timeout: 5_000 });
      mesh.publish(3, [...world, bad]);
      await mesh.until("sent cluster removed good");
      expect(sent().filter((event) => /listener|route|v1/.test(event))).toEqual([]);
      expect(load.failures).toEqual([]);
    });
  });

function resource(typeUrl: TypeUrl, name: string, bytes: Uint8Array): Resource {
  return { typeUrl, name, bytes, version: contentHash(bytes) };
}

/** Another connect time-out in seconds makes another cluster. */
function cluster(name: string, seconds = 5, lbPolicy = Cluster.LbPolicy.ROUND_ROBIN): Resource {
  const bytes = Cluster.encode({
    name,
    type: Cluster.DiscoveryType.EDS,
    edsClusterConfig: { edsConfig: ADS },
    connectTimeout: { seconds },
    lbPolicy,
  }).finish();
  return resource(TYPE_URLS.cluster, name, bytes);
}

function endpoints(name: string, port: number): Resource {
  const address = { socketAddress: { address: "127.0.0.1", portValue: port } };
  const bytes = ClusterLoadAssignment.encode({
    clusterName: name,
    endpoints: [{ lbEndpoints: [{ endpoint: { address } }] }],
  }).finish();
  return resource(TYPE_URLS.endpoints, name, bytes);
}

function listener(port: number): Resource {
  const manager = HttpConnectionManager.encode({
    statPrefix: "http",
    rds: { routeConfigName: "route", configSource: ADS },
    httpFilters: [
      {
        name: "envoy.filters.http.router",
        typedConfig: {
          type_url: "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
          value: Router.encode({}).finish(),
        },
      },
    ],
  }).finish();
  const typedConfig = {
    type_url: "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    value: manager,
  };
  const bytes = Listener.encode({
    name: "listener",
    address: { socketAddress: { address: "127.0.0.1", portValue: port } },
    filterChains: [{ filters: [{ name: "envoy.filters.network.http_connection_manager", typedConfig }] }],
  }).finish();
  return resource(TYPE_URLS.listener, "listener", bytes);
}

function route(to: string): Resource {
  const bytes = RouteConfiguration.encode({
    name: "route",
    validateClusters: { value: false },
    virtualHosts: [{ name: "all", domains: ["*"], routes: [{ match: { prefix: "/" }, route: { cluster: to } }] }],
  }).finish();
  return resource(TYPE_URLS.route, "route", bytes);
}

function tableOf(generation: number, resources: readonly Resource[]): ResourceTable {
  const byKey = new Map(resources.map((one) => [`${one.typeUrl} ${one.name}`, one]));
  return {
    generation,
    get: (typeUrl, name) => byKey.get(`${typeUrl} ${name}`),
    names: (typeUrl) => new Set(resources.filter((one) => one.typeUrl === typeUrl).map(({ name }) => name)),
  };
}

function recorder(events: string[]): DeliveryObserver {
  const shortOf = (typeUrl: string) => Object.entries(TYPE_URLS).find(([, url]) => url === typeUrl)?.[0] ?? typeUrl;
  return {
    connected: () => void events.push("connected"),
    disconnected: () => void events.push("disconnected"),
    sent(_stream, { typeUrl, resources, removed }) {
      const parts = [...resources.map(({ name }) => name), ...removed.map((name) => `removed ${name}`)];
      events.push(`sent ${shortOf(typeUrl)} ${parts.join(" ") || "nothing"}`);
    },
    acked: (_stream, { typeUrl }) => void events.push(`acked ${shortOf(typeUrl)}`),
    nacked: (_stream, { names, message }) => void events.push(`nacked ${names.join(" ")}: ${message}`),
    held: (_stream, typeUrl) => void events.push(`holds ${shortOf(typeUrl)}`),
    settled: (_stream, generation) => void events.push(`settled ${generation}`),
  };
}

/** Asks through the proxy, one request after the other, on a connection that is kept, until the test ends. */
async function startLoad(port: number, opened: (() => unknown)[]) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const load = {
    answers: new Set<string>(),
    failures: [] as string[],
    reset() {
      load.answers.clear();
      load.failures.length = 0;
    },
  };
  let isStopped = false;
  const finished = (async () => {
    while (!isStopped) {
      const { status, text } = await ask(port, agent);
      if (status === 200) load.answers.add(text);
      else load.failures.push(`${status} ${text}`);
    }
    agent.destroy();
  })();
  opened.push(() => {
    isStopped = true;
    return finished;
  });
  return load;
}

function ask(port: number, agent: Agent): Promise<{ status: number; text: string }> {
  return new Promise((resolve) => {
    const asked = get({ host: "127.0.0.1", port, agent }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    asked.on("error", (error) => resolve({ status: 0, text: error.message }));
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}
