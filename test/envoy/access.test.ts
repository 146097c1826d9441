import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer as createHttpServer, get } from "node:http";
import { connect as connectHttp2, createServer as createHttp2Server } from "node:http2";
import { type AddressInfo, connect, createServer as createTcpServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createAuthorityPem, openAuthority } from "../../src/ca/mod.ts";
import type { InboundRoute, ResourceView } from "../../src/mesh/mod.ts";
import { describeWithEnvoy } from "./binary.ts";
import { freePorts, type RunningProxy, startProxy } from "./proxies.ts";

const tls = { minVersion: "TLSv1_2", maxVersion: "TLSv1_3", cipherSuites: [], ecdhCurves: [] } as const;
const client = "client.ns.cluster.local";
const fqdn = "server.ns.svc.cluster.local";

/** Ports of the application, of the server's proxy, and of the clients' proxies, by what they serve. */
interface Ports {
  readonly http: number;
  readonly http2: number;
  readonly banner: number;
  readonly none: number;
}

function clusterOf(service: keyof Ports): string {
  return `ns/${service}|1`;
}

function inboundViews(app: Ports, proxy: Ports, allowed: readonly string[]): ResourceView[] {
  const rule = (pathRegex: string, port: "http" | "http2"): InboundRoute => ({
    pathRegex,
    method: "GET",
    headers: [],
    cluster: `${clusterOf(port)}|local`,
    principals: allowed,
  });
  return [
    ...(["http", "http2", "banner"] as const).map(
      (service): ResourceView => ({
        kind: "local-cluster",
        name: `${clusterOf(service)}|local`,
        port: app[service],
      }),
    ),
    ...(["http", "http2"] as const).map(
      (service): ResourceView => ({
        kind: "inbound-route",
        name: `rds-inbound.${service}`,
        virtualHosts: [{ name: "server", domains: ["server"], routes: [rule("/open.*", service)] }],
      }),
    ),
    {
      kind: "inbound-listener",
      name: "inbound-listener",
      tls,
      chains: [
        { name: "http", port: proxy.http, serverNames: [fqdn], route: "rds-inbound.http" },
        { name: "http2", port: proxy.http2, serverNames: [fqdn], route: "rds-inbound.http2" },
        {
          name: "banner",
          port: proxy.banner,
          serverNames: [fqdn],
          cluster: `${clusterOf("banner")}|local`,
          policies: [{ name: "ns/banner", principals: allowed, ports: [proxy.banner] }],
        },
      ],
    },
  ];
}

function outboundViews(proxy: Ports, own: Ports, serverSans: readonly string[]): ResourceView[] {
  return [
    ...(["http", "http2", "banner"] as const).flatMap((service): ResourceView[] => [
      { kind: "upstream-cluster", name: clusterOf(service), sni: fqdn, serverSans, tls },
      { kind: "endpoints", name: clusterOf(service), endpoints: [{ address: "127.0.0.1", port: proxy[service] }] },
    ]),
    ...(["http", "http2"] as const).map(
      (service): ResourceView => ({
        kind: "outbound-route",
        name: `rds-outbound.ns/${service}`,
        virtualHosts: [{ name: "server", domains: ["server"], clusters: [{ cluster: clusterOf(service), weight: 1 }] }],
      }),
    ),
    {
      kind: "outbound-listener",
      name: "outbound-listener",
      isEgressEnabled: false,
      refused: [],
      chains: [
        { name: "http", port: own.http, addresses: ["127.0.0.1"], route: "rds-outbound.ns/http" },
        { name: "http2", port: own.http2, addresses: ["127.0.0.1"], route: "rds-outbound.ns/http2" },
        {
          name: "banner",
          port: own.banner,
          addresses: ["127.0.0.1"],
          clusters: [{ cluster: clusterOf("banner"), weight: 1 }],
        },
      ],
    },
  ];
}

function status(port: number, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    get({ host: "127.0.0.1", port, path, headers: { host: "server" }, agent: false }, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode ?? 0));
    }).on("error", reject);
  });
}

function http2Status(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const session = connectHttp2(`http://127.0.0.1:${port}`).on("error", reject);
    const stream = session.request({ ":path": "/open", ":authority": "server" }).on("error", reject);
    stream.on("response", (headers) => {
      session.close();
      resolve(headers[":status"] ?? 0);
    });
    stream.resume();
  });
}

/** Connects, says `first` or nothing, and gives what came until the other side ended or the first bytes were there. */
function received(port: number, first?: string): Promise<{ text: string; isRefused: boolean; elapsedMs: number }> {
  const startMs = performance.now();
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let text = "";
    const finish = (isRefused: boolean) => {
      socket.destroy();
      resolve({ text, isRefused, elapsedMs: performance.now() - startMs });
    };
    if (first !== undefined) socket.write(first);
    socket.on("data", (chunk) => {
      text += chunk.toString();
      finish(false);
    });
    socket.on("end", () => finish(true));
    socket.on("error", () => finish(true));
  });
}

function portsOf(numbers: readonly number[]): Ports {
  const [http = 0, http2 = 0, banner = 0, none = 0] = numbers;
  return { http, http2, banner, none };
}

describeWithEnvoy("between two real Envoys", () => {
  const proxies: RunningProxy[] = [];
  const servers: Server[] = [];
  let folder = "";
  let app = portsOf([]);
  let inbound = portsOf([]);
  let allowed = portsOf([]);
  let thief = portsOf([]);
  let server: RunningProxy;
  let caller: RunningProxy;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "osm-access-"));
    const now = Date.now();
    const authority = openAuthority(await createAuthorityPem(now), now, { certificate: "ca.crt", key: "private.key" });
    const start = async (serviceAccount: string, views: readonly ResourceView[], listener: string, bound: Ports) => {
      const own = join(folder, serviceAccount);
      mkdirSync(own);
      const ports = { [listener]: Object.values(bound) as number[] };
      const proxy = await startProxy({ folder: own, serviceAccount, authority, views, ports });
      proxies.push(proxy);
      return proxy;
    };
    servers.push(
      createHttpServer((_request, response) => response.end("ok")),
      createHttp2Server((_request, response) => response.end("ok")) as unknown as Server,
      createTcpServer((socket) => {
        socket.on("error", () => socket.destroy());
        socket.write("banner");
      }),
    );
    for (const each of servers) await new Promise<void>((resolve) => each.listen(0, "127.0.0.1", resolve));
    app = portsOf(servers.map((each) => (each.address() as AddressInfo).port));
    const free = await freePorts(12);
    [inbound, allowed, thief] = [portsOf(free.slice(0, 4)), portsOf(free.slice(4, 8)), portsOf(free.slice(8))];
    const sans = ["server.ns.cluster.local"];
    [server, caller] = await Promise.all([
      start("server", inboundViews(app, inbound, [client]), "inbound-listener", inbound),
      start("client", outboundViews(inbound, allowed, sans), "outbound-listener", allowed),
      start("thief", outboundViews(inbound, thief, sans), "outbound-listener", thief),
    ]);
  });
  afterAll(async () => {
    await Promise.all(proxies.map((proxy) => proxy.stop()));
    for (const each of servers) each.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("a request that policy allows is answered", async () => {
    expect(await status(allowed.http, "/open")).toBe(200);
  });

  test("an HTTP/2 request is answered: nothing negotiates the mesh's ALPN", async () => {
    expect(await http2Status(allowed.http2)).toBe(200);
  });

  test("a path that no rule names is 404, a client that the rule does not name 403", async () => {
    expect(await status(allowed.http, "/other")).toBe(404);
    expect(await status(thief.http, "/open")).toBe(403);
  });

  test("dots in a path lead around no rule", async () => {
    expect(await status(allowed.http, "/open/../other")).toBe(404);
  });

  test("a server that speaks first is heard by who may connect, and by nobody else", async () => {
    expect((await received(allowed.banner)).text).toBe("banner");
    const refused = await received(thief.banner);
    expect(refused).toMatchObject({ text: "", isRefused: true });
    expect(refused.elapsedMs).toBeLessThan(1000);
  });

  test("a destination outside the mesh is refused at once, to a client that waits for the server too", async () => {
    const refused = await received(allowed.none);
    expect(refused).toMatchObject({ text: "", isRefused: true });
    expect(refused.elapsedMs).toBeLessThan(1000);
  });

  test("plain text from outside the mesh gets nothing, on any port", async () => {
    const plain = "GET /open HTTP/1.1\r\nhost: server\r\n\r\n";
    for (const port of [inbound.http, inbound.banner, inbound.none]) {
      expect(await received(port, plain)).toMatchObject({ text: "", isRefused: true });
    }
    expect(await received(inbound.banner)).toMatchObject({ text: "", isRefused: true });
  });

  test("a change of policy takes effect and leaves the HTTP chains, so every open connection, as they are", async () => {
    const before = await server.stat("listener_manager.listener_in_place_updated");
    server.update(inboundViews(app, inbound, [client]).map(openToAll));
    await vi.waitFor(async () => expect(await status(thief.http, "/open")).toBe(200), { timeout: 5000, interval: 10 });
    server.update(inboundViews(app, inbound, [client]));
    await vi.waitFor(async () => expect(await status(thief.http, "/open")).toBe(403), { timeout: 5000, interval: 10 });
    expect(await server.stat("listener_manager.listener_in_place_updated")).toBe(before);
    expect(await server.stat("listener_manager.listener_modified")).toBe(before);
  });

  test("a service without known pods accepts nobody: its name alone proves nothing", async () => {
    caller.update(outboundViews(inbound, allowed, []));
    await vi.waitFor(async () => expect(await status(allowed.http, "/open")).toBe(503), {
      timeout: 5000,
      interval: 10,
    });
    expect(await received(allowed.banner)).toMatchObject({ text: "", isRefused: true });
  });
});

/** HTTP rules for every client; TCP as it was. */
function openToAll(view: ResourceView): ResourceView {
  if (view.kind !== "inbound-route") return view;
  const open = ({ principals: _, ...rule }: InboundRoute): InboundRoute => rule;
  return { ...view, virtualHosts: view.virtualHosts.map((host) => ({ ...host, routes: host.routes.map(open) })) };
}
