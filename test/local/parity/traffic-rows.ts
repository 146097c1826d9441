import { expect, test } from "vitest";
import { AT_ONCE_MS, expectRefused, SILENCE_MS, until } from "./expectations.ts";
import { httpRoutes, split, target, tcpRoute } from "./manifests.ts";
import type { PodClient } from "./pod-client-link.ts";
import type { ServedMesh } from "./served-mesh.ts";

const REQUESTS = 600;
const anyRoute = httpRoutes("shop", "any", [{ name: "all", methods: ["*"] }]);

/** Four standard deviations of a fair coin: 1 of 16,000 runs falls outside. */
function expectHalf(share: number | undefined, all: number): void {
  expect(Math.abs((share ?? 0) - all / 2)).toBeLessThan(2 * Math.sqrt(all));
}

/** Rows about where what is allowed goes. */
export function trafficRows(mesh: () => ServedMesh): void {
  const buyer = () => mesh().in("shop", "buyer");
  const permissive = { isPermissive: true };
  const all = async (client: PodClient, who: string) =>
    await until(
      async () => [await client.tally("http://server/", 40), await client.tallyTcp("server", 9000, 40)],
      [{ [`200 ${who}`]: 40 }, { [who]: 40 }],
    );

  test("row 23: a split sends each backend its share of requests and of connections", async () => {
    await mesh().policy(permissive, split("shop", "server", { v1: 100, v2: 0 }));
    const client = await buyer();
    await all(client, "server-1");
    await mesh().policy(permissive, split("shop", "server", { v1: 0, v2: 100 }));
    await all(client, "server-2");
    await mesh().policy(permissive, split("shop", "server", { v1: 50, v2: 50 }));
    await until(
      async () => Object.keys(await client.tally("http://server/", 40)).sort(),
      ["200 server-1", "200 server-2"],
    );
    const http = await client.tally("http://server/", REQUESTS);
    expectHalf(http["200 server-1"], REQUESTS);
    expectHalf(http["200 server-2"], REQUESTS);
    const tcp = await client.tallyTcp("server", 9000, REQUESTS);
    expectHalf(tcp["server-1"], REQUESTS);
    expectHalf(tcp["server-2"], REQUESTS);
    expect(await client.tally("http://v2/", 20)).toEqual({ "200 server-2": 20 });
  });

  test("row 23: the split service may be written in every form of its name", async () => {
    const client = await buyer();
    const forms = [
      "",
      ".shop",
      ".shop.svc",
      ".shop.svc.cluster",
      ".shop.svc.cluster.local",
      ".shop:80",
      ".shop.svc.cluster.local:80",
    ];
    for (const [position, form] of forms.entries()) {
      const [chosen, other] = position % 2 === 0 ? ["v1", "v2"] : ["v2", "v1"];
      await mesh().policy(permissive, split("shop", `server${form}`, { [chosen]: 1, [other]: 0 }));
      const only = { [`200 server-${chosen.slice(1)}`]: 20 };
      await until(() => client.tally("http://server/", 20), only);
    }
  });

  test("row 23: a service may be its own backend, a missing backend counts for nothing, weights of zero for no split", async () => {
    const client = await buyer();
    await mesh().policy(permissive, split("shop", "server", { server: 1, v1: 0 }));
    await until(
      async () => Object.keys(await client.tally("http://server/", 40)).sort(),
      ["200 server-1", "200 server-2"],
    );
    await mesh().policy(permissive, split("shop", "server", { server: 0, v1: 1 }));
    await all(client, "server-1");
    await mesh().policy(permissive, split("shop", "server", { v2: 1, gone: 99 }));
    await all(client, "server-2");
    expect(await mesh().rejections()).toMatchObject([{ kind: "TrafficSplit", name: "split", strength: "part" }]);
    await mesh().policy(permissive, split("shop", "server", { v1: 0, v2: 0 }));
    await until(
      async () => Object.keys(await client.tally("http://server/", 40)).sort(),
      ["200 server-1", "200 server-2"],
    );
    expect(await mesh().rejections()).toMatchObject([{ kind: "TrafficSplit", name: "split", strength: "object" }]);
  });

  test("row 24: a split grants nothing: the share of a backend without access fails, and at once", async () => {
    const access = (name: string, account: string) =>
      target("shop", name, { to: `shop/${account}`, from: ["shop/buyer"], rules: ["any:all", "ports"] });
    const routes = [anyRoute, tcpRoute("shop", "ports", [])];
    const halves = split("shop", "server", { v1: 50, v2: 50 });
    await mesh().policy({}, ...routes, access("v1", "v1"), halves);
    const client = await buyer();
    await until(async () => Object.keys(await client.tally("http://server/", 40)).sort(), ["200 server-1", "503"]);
    const started = performance.now();
    const http = await client.tally("http://server/", REQUESTS);
    expectHalf(http["503"], REQUESTS);
    expectHalf(http["200 server-1"], REQUESTS);
    const tcp = await client.tallyTcp("server", 9000, 100);
    expectHalf(tcp["server-1"], 100);
    expect(Object.keys(tcp).sort()).toEqual(["ended", "server-1"]);
    expect(performance.now() - started).toBeLessThan(10 * AT_ONCE_MS);
    await mesh().policy({}, ...routes, access("v1", "v1"), access("v2", "v2"), halves);
    await until(
      async () => Object.keys(await client.tally("http://server/", 40)).sort(),
      ["200 server-1", "200 server-2"],
    );
  });

  test("row 25: a service answers to every form of its name, to its short one in its namespace alone", async () => {
    await mesh().policy(permissive);
    const [own, other] = [await buyer(), await mesh().in("depot", "buyer")];
    await until(() => own.status("http://server/"), 200);
    const forms = ["server.shop", "server.shop.svc", "server.shop.svc.cluster", "server.shop.svc.cluster.local"];
    const statusOf = async (client: PodClient, host: string) =>
      await client.status("http://server.shop/", { headers: { host } });
    for (const host of [...forms, ...forms.map((form) => `${form}:80`)]) {
      expect([host, await statusOf(own, host), await statusOf(other, host)]).toEqual([host, 200, 200]);
    }
    for (const host of ["server", "server:80"]) {
      expect([host, await statusOf(own, host), await statusOf(other, host)]).toEqual([host, 200, 404]);
    }
    for (const host of ["v1.shop", "server.depot", "server:81", "example.org"]) {
      expect([host, await statusOf(own, host)]).toEqual([host, 404]);
    }
  });

  test("row 25: each pod of a StatefulSet has names of its own, for HTTP and TCP, and all have one together", async () => {
    await mesh().policy(permissive);
    const client = await buyer();
    await until(() => client.status("http://db-0.db:8080/"), 200);
    for (const pod of ["db-0", "db-1"]) {
      for (const form of [".db", ".db.shop", ".db.shop.svc", ".db.shop.svc.cluster.local"]) {
        expect(await client.tally(`http://${pod}${form}:8080/`, 4)).toEqual({ [`200 ${pod}`]: 4 });
      }
      expect((await client.tcp(`${pod}.db`, 9000, "x")).text).toBe(`${pod} x`);
    }
    await until(async () => Object.keys(await client.tally("http://db:8080/", 20)).sort(), ["200 db-0", "200 db-1"]);
    expect((await client.tcp("db", 9000, "x")).text).toMatch(/^db-[01] x$/);
    expect(await (await mesh().in("depot", "buyer")).tally("http://db-1.db.shop:8080/", 4)).toEqual({ "200 db-1": 4 });
  });

  test("row 26: several ports of a service and several services of a pod each lead where they say", async () => {
    await mesh().policy(permissive);
    const client = await buyer();
    await until(() => client.status("http://server:81/"), 200);
    for (const [url, port] of [
      ["http://server/", 8080],
      ["http://server:81/", 8081],
      ["http://v1/", 8080],
      ["http://v1:81/", 8081],
    ] as const) {
      expect((await client.http(url)).said?.port).toBe(port);
    }
    expect(await client.tally("http://v1:81/", 20)).toEqual({ "200 server-1": 20 });
  });

  test("row 27: appProtocol decides, then the prefix of the port's name, else it is HTTP", async () => {
    await mesh().policy(permissive);
    const config = await mesh().config("shop", "buyer");
    for (const chain of ["80_http", "81_http", "9000_tcp", "9001_tcp-server-first", "9090_grpc"]) {
      expect(config).toContain(`"outbound_shop/server_${chain}"`);
    }
  });

  test("row 28: a server that speaks first is heard at once, also through a split", async () => {
    await mesh().policy(permissive, split("shop", "server", { v1: 1, v2: 0 }));
    const client = await buyer();
    await until(async () => (await client.tcp("server", 9001)).text, "server-1 speaks first\n");
    expect((await client.tcp("server", 9001)).ms).toBeLessThan(AT_ONCE_MS);
  });

  test("row 29: gRPC is served, follows a split, and is told when it may not", async () => {
    await mesh().policy(permissive);
    const client = await buyer();
    await until(async () => (await client.grpc("v2", 9090, "hello")).text, "server-2 hello");
    for (const [weights, pod] of [
      [{ v1: 1, v2: 0 }, "server-1"],
      [{ v1: 0, v2: 1 }, "server-2"],
    ] as const) {
      await mesh().policy(permissive, split("shop", "server", weights));
      await until(async () => await client.grpc("server", 9090, "hello"), { code: 0, text: `${pod} hello` });
    }
    const say = httpRoutes("shop", "say", [{ name: "say", pathRegex: "/echo.Echo/Say", methods: ["POST"] }]);
    const other = httpRoutes("shop", "other", [{ name: "other", pathRegex: "/other", methods: ["*"] }]);
    const thief = await mesh().in("shop", "thief");
    await mesh().policy(
      {},
      say,
      other,
      target("shop", "buyer", { to: "shop/v1", from: ["shop/buyer"], rules: ["say:say"] }),
      target("shop", "thief", { to: "shop/v1", from: ["shop/thief"], rules: ["other:other"] }),
    );
    await until(async () => (await thief.grpc("v1", 9090, "hello")).code, 7);
    expect(await client.grpc("v1", 9090, "hello")).toEqual({ code: 0, text: "server-1 hello" });
  });

  test("row 29: an application that speaks TLS itself is carried as TCP", async () => {
    await mesh().policy(permissive);
    const client = await buyer();
    const say = "GET / HTTP/1.1\r\nhost: own\r\n\r\n";
    const ask = async () =>
      (await client.tls({ host: "v1", port: 8443, serverName: "own", pem: "buyer.pem", say })).text;
    await until(async () => (await ask()).split("\r\n")[0], "HTTP/1.1 200 OK");
  });

  test("row 30: a websocket is opened through both proxies and carries both ways", async () => {
    await mesh().policy(permissive);
    const client = await buyer();
    await until(() => client.websocket("ws://v1/socket", "hello"), "server-1 hello");
  });

  test("row 31: with egress on a pod of the mesh reaches what is outside it; with egress off nothing, at once", async () => {
    const client = await buyer();
    for (const isPermissive of [true, false]) {
      await mesh().policy({ isPermissive, hasEgress: true });
      await until(() => client.status("http://web.outside/"), 200);
      await until(async () => (await client.tcp("web.outside", 9000, "x")).text, "web x");
      await until(async () => (await client.tcp("web.outside", 9001)).text, "web speaks first\n");
      await mesh().policy({ isPermissive, hasEgress: false });
      await until(() => client.status("http://web.outside/"), 0);
      for (const host of ["web.outside", mesh().addressOf("outside", "web")]) {
        expectRefused(await client.tcp(host, 8080, "GET / HTTP/1.1\r\n\r\n"));
        expectRefused(await client.tcp(host, 9001), SILENCE_MS);
      }
    }
  });
}
