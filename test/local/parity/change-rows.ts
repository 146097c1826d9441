import { expect, test, vi } from "vitest";
import { type ClientCredentials, connectDelta } from "../../support/delta-client.ts";
import { testAuthority } from "../../support/xds-mesh.ts";
import { AT_ONCE_MS, expectRefused, until } from "./expectations.ts";
import { httpRoutes, pod, service, split, target, tcpRoute } from "./manifests.ts";
import type { Load, PodClient } from "./pod-client-link.ts";
import type { TcpAnswer } from "./protocol.ts";
import type { ServedMesh } from "./served-mesh.ts";

const CLUSTERS = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
const permissive = { isPermissive: true };
const anyRoute = httpRoutes("shop", "any", [{ name: "all", methods: ["*"] }]);
const everybody = [
  tcpRoute("shop", "tcp", []),
  ...["v1", "v2"].map((account) =>
    target("shop", account, { to: `shop/${account}`, from: ["shop/buyer"], rules: ["any:all", "tcp"] }),
  ),
];

/** Rows about identity, certificates, and changes while requests go on. */
export function changeRows(mesh: () => ServedMesh): void {
  const buyer = () => mesh().in("shop", "buyer");
  const proxyOf = async (namespace: string, name: string) => {
    const found = (await mesh().proxies()).find((own) => own.namespace === namespace && own.pod === name);
    if (found === undefined) throw new Error(`no proxy of ${namespace}/${name}`);
    return found;
  };

  test("row 41: a server with a certificate of the same CA, but for another account, is not talked to", async () => {
    await mesh().policy(permissive);
    const client = await buyer();
    await until(() => client.status("http://rogue:8443/"), 200);
    expect(await client.status("http://rogue:8444/")).toBe(503);
  });

  test("row 46: everybody gets a new certificate and no request fails", async () => {
    await mesh().policy(permissive);
    const client = await buyer();
    const load = await client.startLoad("http://server/");
    await answered(load, 50);
    const before = await mesh().metric("osm_cert_issued_count");
    const { proxies } = await mesh().rotate();
    expect(proxies).toBe((await mesh().proxies()).filter(({ isConnected }) => isConnected).length);
    expect(await mesh().metric("osm_cert_issued_count")).toBeGreaterThan(before);
    await answered(load, 200);
    expect((await load.stop()).failures).toEqual([]);
  });

  test("row 68: a sidecar's admin port answers its own pod and nobody else", async () => {
    await mesh().policy({ ...permissive, hasEgress: true });
    const host = mesh().addressOf("shop", "server-1");
    expect(await (await mesh().in("shop", "server-1")).status("http://127.0.0.1:15000/ready")).toBe(200);
    for (const [namespace, name] of [
      ["shop", "buyer"],
      ["outside", "stranger"],
    ] as const) {
      const client = await mesh().in(namespace, name);
      expectRefused(await client.tcp(host, 15000, "GET /ready HTTP/1.1\r\nhost: x\r\n\r\n"));
    }
  });

  /** What becomes of a delta stream that says it is `nodeId`: its first response, or its end. */
  const opened = async (credentials: ClientCredentials | { rootsPem: string }, nodeId: string) => {
    const { host, port } = mesh().addresses.xds;
    const startedMs = performance.now();
    const client = connectDelta({ address: `${host}:${port}`, credentials, nodeId });
    client.send({ typeUrl: CLUSTERS });
    const outcome = await client.next().then(
      (response) => ({ isServed: true, resources: response.resources.length }),
      () => ({ isServed: false, resources: 0 }),
    );
    client.close();
    await client.ended;
    expect(performance.now() - startedMs).toBeLessThan(3 * AT_ONCE_MS);
    return outcome.isServed;
  };

  test("rows 15, 69: the certificate alone says whose configuration it is: a foreign node id, account or CA is refused", async () => {
    const [own, other] = [await proxyOf("shop", "thief"), await proxyOf("shop", "buyer")];
    const subject = { namespace: "shop", serviceAccount: "thief", uuid: own.uuid };
    const credential = await mesh().credential(subject);
    expect(await opened(credential, own.uuid)).toBe(true);
    expect(await opened(credential, other.uuid)).toBe(false);
    expect(await opened({ rootsPem: credential.rootsPem }, own.uuid)).toBe(false);
    const foreign = await (await testAuthority()).sidecar(subject);
    expect(await opened({ ...foreign, rootsPem: credential.rootsPem }, own.uuid)).toBe(false);
    for (const wrong of [{ uuid: "00000000-0000-4000-8000-000000000000" }, { serviceAccount: "buyer" }]) {
      const refused = await mesh()
        .credential({ ...subject, ...wrong })
        .then(
          async (issued) => await opened(issued, own.uuid),
          () => false,
        );
      expect(refused).toBe(false);
    }
  });

  test("row 70: nothing is kept of proxies that are gone, with their pods or without", async () => {
    const connected = () => mesh().metric("osm_proxy_connect_count");
    const before = (await mesh().proxies()).filter(({ uuid }) => uuid !== "").length;
    await until(connected, before);
    const { uuid } = await proxyOf("shop", "thief");
    const credential = await mesh().credential({ namespace: "shop", serviceAccount: "thief", uuid });
    for (let round = 0; round < 50; round++) expect(await opened(credential, uuid)).toBe(true);
    await until(connected, before);
    mesh().put("passing.json", [pod("shop", "passing", { account: "passing" })]);
    await vi.waitUntil(async () => (await connected()) === before + 1, { timeout: 20_000, interval: 50 });
    mesh().put("passing.json", []);
    await vi.waitUntil(async () => (await connected()) === before, { timeout: 20_000, interval: 50 });
    await until(async () => (await mesh().proxies()).some((own) => own.pod === "passing"), false);
  });

  test("row 71: policies, weights, mode, egress and services change under load, and no request fails", async () => {
    await mesh().policy(permissive);
    const client = await buyer();
    await until(() => client.status("http://server/"), 200);
    const loads = await Promise.all(["http://server/", "http://v1/"].map((url) => client.startLoad(url)));
    const others = startConnections(client);
    const otherRoutes = httpRoutes("shop", "others", [{ name: "x", pathRegex: "/x", methods: ["GET"] }]);
    const thief = target("shop", "thief", { to: "shop/v1", from: ["shop/thief"], rules: ["others:x"] });
    const ports = [{ name: "web", port: 80, targetPort: 8080 }];
    for (let round = 0; round < 3; round++) {
      await mesh().policy({}, anyRoute, ...everybody);
      await mesh().policy({}, anyRoute, ...everybody, split("shop", "server", { v1: 50, v2: 50 }));
      await mesh().policy({}, anyRoute, ...everybody, otherRoutes, thief, split("shop", "server", { v1: 0, v2: 100 }));
      await mesh().policy({ hasEgress: true }, anyRoute, ...everybody, split("shop", "server", { v1: 100, v2: 0 }));
      mesh().put("extra.json", [service("shop", "extra", { app: "server" }, ports)]);
      await until(() => client.status("http://extra/"), 200);
      await mesh().policy({ ...permissive, hasEgress: true });
      mesh().put("extra.json", []);
      await mesh().policy(permissive);
    }
    for (const load of loads) {
      await answered(load, 10);
      expect((await load.stop()).failures).toEqual([]);
    }
    expect(await others.stop()).toEqual([]);
  });

  test("the control plane is killed while its folder is edited: the edit takes effect, and no request fails", async () => {
    await mesh().policy(permissive, split("shop", "server", { v1: 1, v2: 0 }));
    const client = await buyer();
    const seen = async () => Object.keys(await client.tally("http://server/", 20)).sort();
    await until(seen, ["200 server-1"]);
    const load = await client.startLoad("http://server/");
    mesh().killControlPlane();
    mesh().putPolicy({}, anyRoute, ...everybody, split("shop", "server", { v1: 0, v2: 1 }));
    await vi.waitUntil(async () => (await seen()).join() === "200 server-2", { timeout: 20_000, interval: 50 });
    await mesh().policy(permissive);
    await until(seen, ["200 server-1", "200 server-2"]);
    expect((await load.stop()).failures).toEqual([]);
  });

  test("row 71: a pod that is not ready any more gets no requests, comes back, and no request fails", async () => {
    await mesh().policy(permissive);
    const client = await buyer();
    const load = await client.startLoad("http://server/");
    const [both, one] = [["200 server-1", "200 server-2"], ["200 server-1"]];
    const seen = async () => Object.keys(await client.tally("http://server/", 20)).sort();
    await until(seen, both);
    const inside = await mesh().in("shop", "server-2");
    expect(await inside.status("http://127.0.0.1:8080/unready")).toBe(200);
    await until(seen, one);
    expect(await inside.status("http://127.0.0.1:8080/ready")).toBe(200);
    await until(seen, both);
    expect((await load.stop()).failures).toEqual([]);
  });
}

/** Connections, calls and sockets one after the other until it is told to stop; then those that failed. */
function startConnections(client: PodClient): { stop(): Promise<readonly string[]> } {
  const failures: string[] = [];
  let isStopped = false;
  const repeat = async (name: string, ask: () => Promise<string>) => {
    while (!isStopped) {
      const answer = await ask();
      if (!answer.startsWith("server-")) failures.push(`${name}: ${answer}`);
    }
  };
  const finished = Promise.all([
    repeat("tcp", async () => textOf(await client.tcp("server", 9000, "x"))),
    repeat("banner", async () => textOf(await client.tcp("server", 9001))),
    repeat("grpc", async () => (await client.grpc("server", 9090, "x")).text),
    repeat("websocket", () => client.websocket("ws://v1/", "x")),
  ]);
  return {
    async stop() {
      isStopped = true;
      await finished;
      return failures;
    },
  };
}

function textOf({ text, end, ms }: TcpAnswer): string {
  return text === "" ? `${end} after ${ms.toFixed(0)} ms` : text;
}

/** Waits until `more` requests have been answered from now on. */
async function answered(load: Load, more: number): Promise<void> {
  const count = async () => Object.values((await load.report()).counts).reduce((sum, own) => sum + own, 0);
  const from = await count();
  await vi.waitUntil(async () => (await count()) >= from + more, { timeout: 10_000, interval: 20 });
}
