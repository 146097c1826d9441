import { expect, test } from "vitest";
import { AT_ONCE_MS, expectRefused, SILENCE_MS, until } from "./expectations.ts";
import { httpRoutes, type Manifest, target, tcpRoute } from "./manifests.ts";
import type { PodClient } from "./pod-client-link.ts";
import type { ServedMesh } from "./served-mesh.ts";

const banner = "server-1 speaks first\n";
const anyRoute = httpRoutes("shop", "any", [{ name: "all", methods: ["*"] }]);

/** Opens every HTTP route of `to`. */
function open(name: string, to: string, ...from: readonly string[]): Manifest {
  return target("shop", name, { to, from, rules: ["any:all"] });
}

/** Rows about who may reach whom. */
export function accessRows(mesh: () => ServedMesh): void {
  const buyer = () => mesh().in("shop", "buyer");
  const thief = () => mesh().in("shop", "thief");
  const permissive = () => mesh().policy({ isPermissive: true });

  test("row 16: in permissive mode everybody of the mesh is served, and a client outside it is refused", async () => {
    await permissive();
    for (const client of [await buyer(), await thief(), await mesh().in("depot", "buyer")]) {
      await until(() => client.status("http://server.shop/"), 200);
    }
    const stranger = await mesh().in("outside", "stranger");
    const hosts = ["server.shop", mesh().addressOf("shop", "server-1")];
    const plain = hosts.flatMap((host) =>
      [80, 8080, 9000, 9001].map((port) => stranger.tcp(host, port, "GET / HTTP/1.1\r\n\r\n")),
    );
    const silent = hosts.map((host) => stranger.tcp(host, 9001));
    for (const answer of await Promise.all(plain)) expectRefused(answer);
    for (const answer of await Promise.all(silent)) expectRefused(answer, SILENCE_MS);
  });

  test("row 16: without permissive mode and without policies nobody is served, from one moment to the next", async () => {
    await permissive();
    const client = await buyer();
    await until(() => client.status("http://server/"), 200);
    await mesh().policy({});
    await until(() => client.status("http://server/"), 0);
    for (const port of [80, 9000]) expectRefused(await client.tcp("server", port, "x"));
    expectRefused(await client.tcp("server", 9001));
    await permissive();
    await until(() => client.status("http://server/"), 200);
  });

  test("row 17: a route opens its path, method and headers to its source; else 403 or 404", async () => {
    const routes = httpRoutes("shop", "routes", [
      { name: "books", pathRegex: "/books(/.*)?", methods: ["GET", "HEAD"] },
      { name: "admin", pathRegex: "/admin", methods: ["*"], headers: [{ "x-role": "admin.*" }, { "x-team": "a|b" }] },
      { name: "named", pathRegex: "/named", methods: ["GET"], headers: [{ host: "server\\.shop.*" }] },
      { name: "unused", pathRegex: "/unused", methods: ["*"] },
    ]);
    const rules = ["routes:books,admin,named"];
    await mesh().policy(
      {},
      routes,
      target("shop", "v1", { to: "shop/v1", from: ["shop/buyer"], rules }),
      target("shop", "other", { to: "shop/v1", from: ["shop/thief"], rules: ["routes:unused"] }),
    );
    const [allowed, denied] = [await buyer(), await thief()];
    await until(() => allowed.status("http://v1/books/1"), 200);
    await until(() => denied.status("http://v1/unused"), 200);
    const post = { method: "POST" };
    const role = { headers: { "x-role": "administrator", "x-team": "b" } };
    const named = { headers: { host: "server.shop:80" } };
    expect({
      books: await allowed.status("http://v1/books"),
      query: await allowed.status("http://v1/books/1?x=y"),
      otherMethod: await allowed.status("http://v1/books", post),
      longerPath: await allowed.status("http://v1/booksellers"),
      bothHeaders: await allowed.status("http://v1/admin", { ...post, ...role }),
      oneHeader: await allowed.status("http://v1/admin", { headers: { "x-role": "admin" } }),
      wrongValue: await allowed.status("http://v1/admin", { headers: { "x-role": "admin", "x-team": "ab" } }),
      noPath: await allowed.status("http://v1/other"),
      notItsRoute: await allowed.status("http://v1/unused"),
      thiefsOwn: await denied.status("http://v1/unused"),
      thiefOnBooks: await denied.status("http://v1/books"),
      hostMatches: await allowed.status("http://server/named", named),
      hostDiffers: await allowed.status("http://v1/named"),
    }).toEqual({
      books: 200,
      query: 200,
      otherMethod: 404,
      longerPath: 404,
      bothHeaders: 200,
      oneHeader: 404,
      wrongValue: 404,
      noPath: 404,
      notItsRoute: 403,
      thiefsOwn: 200,
      thiefOnBooks: 403,
      hostMatches: 200,
      hostDiffers: 404,
    });
  });

  test("row 18: two targets for one route serve the sources of both, and each alone its own", async () => {
    const [one, two] = [open("one", "shop/v1", "shop/buyer"), open("two", "shop/v1", "shop/thief")];
    const both = async () => [await (await buyer()).status("http://v1/"), await (await thief()).status("http://v1/")];
    await mesh().policy({}, anyRoute, one, two);
    await until(both, [200, 200]);
    await mesh().policy({}, anyRoute, two);
    await until(both, [0, 200]);
    await mesh().policy({}, anyRoute, one);
    await until(both, [200, 0]);
  });

  test("row 19: a target in another namespace than its destination opens nothing, and is reported with its field", async () => {
    const foreign = target("depot", "foreign", { to: "shop/v1", from: ["shop/thief"], rules: ["any:all"] });
    await mesh().policy(
      {},
      anyRoute,
      { ...anyRoute, metadata: { name: "any", namespace: "depot" } },
      foreign,
      open("own", "shop/v1", "shop/buyer"),
    );
    await until(async () => (await buyer()).status("http://v1/"), 200);
    expectRefused(await (await thief()).tcp("v1", 80, "GET / HTTP/1.1\r\n\r\n"));
    const rejections = await mesh().rejections();
    expect(rejections).toMatchObject([
      {
        kind: "TrafficTarget",
        namespace: "depot",
        name: "foreign",
        file: "policy.json",
        field: "spec.destination.namespace",
      },
    ]);
  });

  test("row 20: a TCPRoute opens its ports of the pod and no other, and no HTTP; an HTTP rule opens no TCP port", async () => {
    const tcp = target("shop", "tcp", { to: "shop/v1", from: ["shop/buyer"], rules: ["ports"] });
    await mesh().policy({}, tcpRoute("shop", "ports", [9000]), tcp, anyRoute, open("http", "shop/v1", "shop/thief"));
    const [allowed, other] = [await buyer(), await thief()];
    await until(async () => (await allowed.tcp("v1", 9000, "x")).text, "server-1 x");
    expectRefused(await allowed.tcp("v1", 9001));
    expect(await allowed.status("http://v1/")).toBe(0);
    await until(() => other.status("http://v1/"), 200);
    expectRefused(await other.tcp("v1", 9000, "x"));
  });

  test("rows 20, 22: a TCPRoute without ports opens every TCP port, of its account's pods alone", async () => {
    const tcp = target("shop", "tcp", { to: "shop/v1", from: ["shop/buyer"], rules: ["ports"] });
    await mesh().policy({}, tcpRoute("shop", "ports", []), tcp);
    const client = await buyer();
    await until(async () => (await client.tcp("server", 9001)).text, banner);
    expect(await client.tallyTcp("server", 9000, 40)).toEqual({ "server-1": 40 });
  });

  test("row 21: without a target a TCP port gives no byte to anybody, also when the server speaks first", async () => {
    await mesh().policy({ hasEgress: true });
    const client = await buyer();
    const podAddress = mesh().addressOf("shop", "server-1");
    await until(async () => (await client.tcp("server", 9000, "hello")).text, "");
    const byPodAddress = client.tcp(podAddress, 9001);
    for (const host of ["server", podAddress]) expectRefused(await client.tcp(host, 9000, "hello"));
    expectRefused(await client.tcp("server", 9001));
    expectRefused(await byPodAddress, SILENCE_MS);
  });

  test("row 28: a client without a right hears nothing of a server that speaks first; one with a right at once", async () => {
    await mesh().policy(
      {},
      tcpRoute("shop", "banner", [9001]),
      target("shop", "banner", { to: "shop/v1", from: ["shop/buyer"], rules: ["banner"] }),
      tcpRoute("shop", "echo", [9000]),
      target("shop", "echo", { to: "shop/v1", from: ["shop/thief"], rules: ["echo"] }),
    );
    const [allowed, denied] = [await buyer(), await thief()];
    await until(async () => (await allowed.tcp("v1", 9001)).text, banner);
    expect((await allowed.tcp("v1", 9001)).ms).toBeLessThan(AT_ONCE_MS);
    await until(async () => (await denied.tcp("v1", 9000, "x")).text, "server-1 x");
    expectRefused(await denied.tcp("v1", 9001));
  });

  test("rows 17, 20, 28: the server's proxy decides by itself: a client that goes around its own gets no further", async () => {
    const routes = httpRoutes("shop", "routes", [{ name: "books", pathRegex: "/books", methods: ["GET"] }]);
    const rules = ["routes:books", "banner"];
    await mesh().policy(
      {},
      routes,
      tcpRoute("shop", "banner", [9001]),
      target("shop", "v1", { to: "shop/v1", from: ["shop/buyer"], rules }),
    );
    const rogue = await mesh().in("shop", "rogue");
    const ask = async (pem: string, port: number, say?: string) => {
      const call = { host: mesh().addressOf("shop", "server-1"), port, serverName: "v1.shop.svc.cluster.local", pem };
      return await rogue.tls(say === undefined ? call : { ...call, say });
    };
    const books = "GET /books HTTP/1.1\r\nhost: v1.shop\r\n\r\n";
    await until(async () => (await ask("buyer.pem", 9001)).text, banner);
    expectRefused(await ask("stolen.pem", 9001));
    expectRefused(await ask("stolen.pem", 9000, "hello"));
    expect((await ask("buyer.pem", 8080, books)).text).toMatch(/^HTTP\/1.1 200 /);
    expect((await ask("stolen.pem", 8080, books)).text).toMatch(/^HTTP\/1.1 403 /);
  });

  test("row 22: a client is led to the pods of those accounts alone that it may reach", async () => {
    await mesh().policy({}, anyRoute, open("v1", "shop/v1", "shop/buyer"), open("v2", "shop/v2", "shop/thief"));
    const seen = async (client: PodClient) => await client.tally("http://server/", 40);
    await until(async () => await seen(await buyer()), { "200 server-1": 40 });
    await until(async () => await seen(await thief()), { "200 server-2": 40 });
    await mesh().policy({}, anyRoute, open("v1", "shop/v1", "shop/buyer"), open("v2", "shop/v2", "shop/buyer"));
    await until(async () => Object.keys(await seen(await buyer())).sort(), ["200 server-1", "200 server-2"]);
  });

  test("row 73: namespaces with the same names, labels and accounts do not mix", async () => {
    await mesh().policy({}, anyRoute, open("v1", "shop/v1", "shop/buyer"));
    const [own, other] = [await buyer(), await mesh().in("depot", "buyer")];
    await until(() => own.tally("http://server/", 20), { "200 server-1": 20 });
    for (const [client, host] of [
      [own, "server.depot"],
      [other, "server.shop"],
      [other, "server"],
    ] as const) {
      expectRefused(await client.tcp(host, 80, "GET / HTTP/1.1\r\n\r\n"));
    }
    const routes = { ...anyRoute, metadata: { name: "any", namespace: "depot" } };
    await mesh().policy(
      {},
      routes,
      target("depot", "v1", { to: "depot/v1", from: ["depot/buyer"], rules: ["any:all"] }),
    );
    await until(() => other.tally("http://server/", 20), { "200 depot": 20 });
    expectRefused(await own.tcp("server", 80, "GET / HTTP/1.1\r\n\r\n"));
    expectRefused(await own.tcp("server.depot", 80, "GET / HTTP/1.1\r\n\r\n"));
  });
}
