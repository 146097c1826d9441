import { describe, expect, test } from "vitest";
import { namesOf, resourcesOf, snapshotOf, viewOfPod } from "../../test/support/mesh.ts";
import {
  endpointSlice,
  httpMatch,
  httpRouteGroup,
  meshConfig,
  namespaceRecord,
  podRecord,
  servicePort,
  serviceRecord,
  tcpRoute,
  trafficSplit,
  trafficTarget,
  workload,
} from "../../test/support/records.ts";
import type { MeshRecord, MeshSnapshot } from "./mod.ts";

const smi = meshConfig({ isPermissive: false, isEgressEnabled: false });
const anyRoute = { kind: "HTTPRouteGroup", name: "routes", matches: ["any"] } as const;
const routes = httpRouteGroup("shop", "routes", [httpMatch("any")]);
const web = workload("shop", "web", 9);

function shop(...records: readonly MeshRecord[]): MeshSnapshot {
  return snapshotOf(namespaceRecord("shop"), namespaceRecord("depot"), ...web, routes, ...records);
}

function webView(...records: readonly MeshRecord[]) {
  return viewOfPod(shop(...records), "shop", "web-1");
}

function chains(view: ReturnType<typeof webView>) {
  return resourcesOf(view, "outbound-listener")[0]?.chains ?? [];
}

function endpoints(view: ReturnType<typeof webView>, cluster: string) {
  return resourcesOf(view, "endpoints").find(({ name }) => name === cluster)?.endpoints;
}

function routeOf(view: ReturnType<typeof webView>, label: string) {
  return (
    resourcesOf(view, "outbound-route").find(({ name }) => name === `rds-outbound.${label}.80`)?.virtualHosts ?? []
  );
}

describe("outbound in permissive mode", () => {
  test("a workload sees every service of the mesh, its own included", () => {
    const view = webView(...workload("depot", "stock", 1));
    expect(namesOf(view, "upstream-cluster")).toEqual(["depot/stock|8080", "shop/web|8080"]);
    expect(resourcesOf(view, "upstream-cluster")[0]).toMatchObject({
      sni: "stock.depot.svc.cluster.local",
      serverSans: ["stock.depot.cluster.local"],
    });
    expect(chains(view).map(({ name }) => name)).toEqual(["outbound_depot/stock_80_http", "outbound_shop/web_80_http"]);
  });

  test("the bare name of a service is known in its own namespace only", () => {
    const view = webView(...workload("depot", "stock", 1));
    expect(routeOf(view, "shop/web")[0]?.domains).toContain("web:80");
    expect(routeOf(view, "depot/stock")[0]?.domains).toEqual([
      "stock.depot",
      "stock.depot.svc",
      "stock.depot.svc.cluster",
      "stock.depot.svc.cluster.local",
      "stock.depot.svc.cluster.local:80",
      "stock.depot.svc.cluster:80",
      "stock.depot.svc:80",
      "stock.depot:80",
    ]);
  });

  test("same names and labels in two namespaces never mix", () => {
    const [service] = workload("shop", "stock", 1);
    const view = webView(service, ...workload("depot", "stock", 2));
    const cluster = resourcesOf(view, "upstream-cluster").find(({ name }) => name === "shop/stock|8080");
    expect(cluster?.serverSans).toEqual([]);
    expect(endpoints(view, "shop/stock|8080")).toEqual([]);
  });

  test("a service without endpoints has an empty endpoint resource", () => {
    expect(endpoints(webView(serviceRecord("shop", "empty")), "shop/empty|8080")).toEqual([]);
  });

  test("a port with a protocol that the mesh does not carry gets no configuration", () => {
    const { protocol: _unknown, ...port } = servicePort();
    expect(namesOf(webView(serviceRecord("shop", "odd", { ports: [port] })), "upstream-cluster")).toEqual([
      "shop/web|8080",
    ]);
  });

  test("a server-first port is a chain of its own that leads to its cluster", () => {
    const ports = [servicePort({ port: 3306, targetPort: 3306, protocol: "tcp-server-first" })];
    const [listener] = resourcesOf(webView(...workload("shop", "db", 1, { ports })), "outbound-listener");
    expect(listener?.chains[0]).toMatchObject({ port: 3306, clusters: [{ cluster: "shop/db|3306", weight: 100 }] });
  });

  test("egress decides whether unknown destinations pass", () => {
    expect(namesOf(webView(), "passthrough-cluster")).toEqual(["passthrough-outbound"]);
    expect(namesOf(webView(meshConfig({ isEgressEnabled: false })), "passthrough-cluster")).toEqual([]);
  });
});

describe("headless services", () => {
  const pods = [0, 1].map((position) =>
    podRecord("shop", `db-${position}`, "db", `10.244.1.${position}`, { hostname: `db-${position}`, subdomain: "db" }),
  );
  const db = serviceRecord("shop", "db", { isHeadless: true });

  test("each pod of a StatefulSet is reached by its own name at its own address", () => {
    const view = webView(db, ...pods, endpointSlice(db, pods));
    expect(namesOf(view, "upstream-cluster")).toContain("shop/db-0.db|8080");
    expect(endpoints(view, "shop/db-0.db|8080")).toEqual([{ address: "10.244.1.0", port: 8080 }]);
    const chain = chains(view).find(({ addresses }) => addresses.includes("10.244.1.0"));
    expect(chain).toMatchObject({ name: "outbound_shop/db-0.db_80_http", addresses: ["10.244.1.0"] });
    const hosts = routeOf(view, "shop/db-0.db");
    expect(hosts.map(({ name }) => name.split("|")[1])).toEqual([
      "db-0.db.shop.svc.cluster.local",
      "db.shop.svc.cluster.local",
    ]);
    expect(hosts[0]?.domains).toContain("db-0.db.shop");
  });

  test("a pod that is not ready keeps its filter chain and loses its endpoint", () => {
    const unready = endpointSlice(
      db,
      pods.map((pod) => ({ ...pod, isReady: false })),
    );
    const [before, after] = [webView(db, ...pods, endpointSlice(db, pods)), webView(db, ...pods, unready)];
    expect(chains(after)).toEqual(chains(before));
    expect(endpoints(after, "shop/db-0.db|8080")).toEqual([]);
  });

  test("two services over the same pods and port share one filter chain with both names", () => {
    const all = { isHeadless: true, selector: { app: "db" } };
    const [one, two] = [serviceRecord("shop", "one", all), serviceRecord("shop", "two", all)];
    const plain = pods.map((pod) => ({ ...pod, hostname: "", subdomain: "" }));
    const view = webView(one, two, ...plain, endpointSlice(one, plain), endpointSlice(two, plain));
    const shared = chains(view).filter(({ addresses }) => addresses.includes("10.244.1.0"));
    expect(shared).toHaveLength(1);
    expect(shared[0]).toMatchObject({
      addresses: ["10.244.1.0", "10.244.1.1"],
      route: "rds-outbound.shop/one+shop/two.80",
    });
    expect(routeOf(view, "shop/one+shop/two").flatMap(({ domains }) => domains)).toEqual(
      expect.arrayContaining(["one", "two"]),
    );
  });

  test("a name that two services could mean belongs to one of them", () => {
    const pod = podRecord("shop", "db-0", "db", "10.244.1.0", { hostname: "db", subdomain: "shop" });
    const headless = { isHeadless: true, selector: { app: "db" } };
    const [named, plain] = [serviceRecord("shop", "shop", headless), serviceRecord("shop", "db", headless)];
    const slices = [endpointSlice(named, [pod]), endpointSlice(plain, [pod])];
    const snapshot = shop(named, plain, pod, ...slices);
    const outbound = resourcesOf(viewOfPod(snapshot, "shop", "web-1"), "outbound-route");
    const inbound = resourcesOf(viewOfPod(snapshot, "shop", "db-0"), "inbound-route");
    for (const { virtualHosts } of [...outbound, ...inbound]) {
      const domains = virtualHosts.flatMap((host) => [...host.domains]);
      expect(new Set(domains).size).toBe(domains.length);
    }
    expect(
      outbound.flatMap(({ virtualHosts }) => virtualHosts).filter(({ domains }) => domains.includes("db.shop")),
    ).toHaveLength(1);
  });

  test("of two protocols at one address the older service's stands", () => {
    const all = { isHeadless: true, selector: { app: "db" } };
    const one = serviceRecord("shop", "one", { ...all, createdAt: 2 });
    const two = serviceRecord("shop", "two", { ...all, createdAt: 1, ports: [servicePort({ protocol: "tcp" })] });
    const snapshot = shop(one, two, ...pods, endpointSlice(one, pods), endpointSlice(two, pods));
    const names = chains(viewOfPod(snapshot, "shop", "web-1")).map(({ name }) => name);
    expect(names).toEqual(["outbound_shop/two_80_tcp", "outbound_shop/web_80_http"]);
    expect(snapshot.rejections).toMatchObject([{ name: "one", strength: "part", reason: "protocol-conflict" }]);
  });

  test("endpoints written to a stranger's pods take no connection from them", () => {
    const thief = serviceRecord("depot", "thief", { isHeadless: true });
    const slice = endpointSlice(thief, pods);
    const snapshot = shop(db, ...pods, endpointSlice(db, pods), thief, slice);
    const [service, pod] = workload("depot", "other", 3);
    const view = webView(db, ...pods, endpointSlice(db, pods), service, pod);
    const addressed = (chain: { readonly addresses: readonly string[] }) => chain.addresses.includes("10.244.1.0");
    expect(chains(viewOfPod(snapshot, "shop", "web-1")).filter(addressed)).toEqual(chains(view).filter(addressed));
  });
});

describe("outbound in SMI mode", () => {
  const cart = workload("shop", "cart", 1);
  const target = trafficTarget("shop", "web-to-cart", { to: "shop/cart", from: ["shop/web"], rules: [anyRoute] });

  test("a workload sees only what a TrafficTarget lets it call", () => {
    const view = webView(smi, ...cart, ...workload("shop", "pay", 2), target);
    expect(namesOf(view, "upstream-cluster")).toEqual(["shop/cart|8080"]);
    expect(namesOf(webView(smi, ...cart), "outbound-listener")).toEqual([]);
  });

  test("only endpoints of the service accounts that are open are served", () => {
    const [service, pod] = cart;
    const other = podRecord("shop", "cart-2", "cart", "10.244.0.77", { serviceAccount: "other" });
    const stranger = { ...podRecord("shop", "ghost", "cart", "10.244.0.78"), name: "gone" };
    const view = webView(smi, service, pod, other, endpointSlice(service, [pod, other, stranger]), target);
    expect(endpoints(view, "shop/cart|8080")).toEqual([{ address: "10.244.0.1", port: 8080 }]);
    expect(resourcesOf(view, "upstream-cluster")[0]?.serverSans).toEqual([
      "cart.shop.cluster.local",
      "other.shop.cluster.local",
    ]);
  });

  test("an endpoint that names its pod is nobody else's, whatever its address", () => {
    const [service, pod] = cart;
    const [record] = [endpointSlice(service, [{ ...pod, name: "gone" }])];
    expect(endpoints(webView(smi, service, pod, record, target), "shop/cart|8080")).toEqual([]);
    const [{ ports, endpoints: rows } = { ports: [], endpoints: [] }] = record.subsets;
    const unnamed = rows.map(({ pod: _pod, ...row }) => row);
    const byAddress = { ...record, subsets: [{ ports, endpoints: unnamed }] };
    expect(endpoints(webView(smi, service, pod, byAddress, target), "shop/cart|8080")).toHaveLength(1);
  });

  test("HTTP rules open no TCP port and TCP rules no HTTP port", () => {
    const ports = [servicePort(), servicePort({ name: "raw", port: 90, targetPort: 9090, protocol: "tcp" })];
    const both = workload("shop", "both", 1, { ports });
    const open = (...rules: Parameters<typeof trafficTarget>[2]["rules"]) =>
      namesOf(
        webView(
          smi,
          ...both,
          tcpRoute("shop", "raw", [9090]),
          trafficTarget("shop", "t", { to: "shop/both", from: ["shop/web"], rules }),
        ),
        "upstream-cluster",
      );
    expect(open(anyRoute)).toEqual(["shop/both|8080"]);
    expect(open({ kind: "TCPRoute", name: "raw", matches: [] })).toEqual(["shop/both|9090"]);
  });

  test("with egress on, a TCP port of the mesh that is not open is refused and not passed through", () => {
    const open = meshConfig({ isPermissive: false, isEgressEnabled: true });
    const tcp = servicePort({ port: 3306, targetPort: 3306, protocol: "tcp-server-first" });
    const database = [
      serviceRecord("shop", "database", { clusterIps: ["10.96.0.7"], ports: [tcp] }),
      podRecord("shop", "database-1", "database", "10.1.0.7"),
    ];
    const refused = (view: ReturnType<typeof webView>) => resourcesOf(view, "outbound-listener")[0]?.refused;
    expect(refused(webView(open, ...database))).toEqual([{ port: 3306, addresses: ["10.96.0.7"] }]);
    expect(refused(webView(meshConfig({ isPermissive: true, isEgressEnabled: true }), ...database))).toEqual([]);
    const grant = trafficTarget("shop", "web-to-database", {
      to: "shop/database",
      from: ["shop/web"],
      rules: [{ kind: "TCPRoute", name: "any", matches: [] }],
    });
    expect(refused(webView(open, ...database, tcpRoute("shop", "any", []), grant))).toEqual([]);
    const bare = podRecord("shop", "database-2", "database", "10.1.0.8");
    const { proxyUuid: _, ...withoutSidecar } = bare;
    expect(refused(webView(open, ...database, withoutSidecar))).toEqual([]);
  });

  test("a TCPRoute opens the ports of the pod that it names, all when it names none, nothing when it is missing", () => {
    const ports = [servicePort({ port: 90, targetPort: 9090, protocol: "tcp" })];
    const raw = workload("shop", "raw", 1, { ports });
    const seen = (route: readonly number[] | undefined) => {
      const rules = [{ kind: "TCPRoute", name: "raw", matches: [] } as const];
      const grant = trafficTarget("shop", "t", { to: "shop/raw", from: ["shop/web"], rules });
      return namesOf(
        webView(smi, ...raw, grant, ...(route === undefined ? [] : [tcpRoute("shop", "raw", route)])),
        "endpoints",
      );
    };
    expect(seen([9090])).toEqual(["shop/raw|9090"]);
    expect(seen([])).toEqual(["shop/raw|9090"]);
    expect(seen([90])).toEqual([]);
    expect(seen(undefined)).toEqual([]);
  });
});

describe("TrafficSplit", () => {
  const apex = serviceRecord("shop", "store", { clusterIps: ["10.96.1.1"] });
  const leaves = [...workload("shop", "v1", 1), ...workload("shop", "v2", 2)];
  const clusters = (split: MeshRecord, ...records: readonly MeshRecord[]) =>
    routeOf(webView(apex, ...leaves, split, ...records), "shop/store")[0]?.clusters;
  const own = [{ cluster: "shop/store|8080", weight: 100 }];

  test.each([
    "store",
    "store.shop",
    "store.shop.svc",
    "store.shop.svc.cluster",
    "store.shop.svc.cluster.local",
    "store.shop:80",
  ])("an apex may be written %s", (service) => {
    expect(clusters(trafficSplit("shop", "split", service, { v1: 90, v2: 10 }))).toEqual([
      { cluster: "shop/v1|8080", weight: 90 },
      { cluster: "shop/v2|8080", weight: 10 },
    ]);
  });

  test("an apex in another namespace is rejected and splits nothing here", () => {
    const split = trafficSplit("shop", "split", "store.depot", { v1: 1 });
    expect(clusters(split)).toEqual(own);
    expect(shop(apex, split).rejections).toMatchObject([
      { name: "split", strength: "object", reason: "apex-namespace" },
    ]);
  });

  test("the pod of a StatefulSet may be an apex", () => {
    const pod = podRecord("shop", "db-0", "db", "10.244.1.0", { hostname: "db-0", subdomain: "db" });
    const db = serviceRecord("shop", "db", { isHeadless: true });
    const view = webView(
      db,
      pod,
      endpointSlice(db, [pod]),
      ...leaves,
      trafficSplit("shop", "split", "db-0.db", { v1: 1 }),
    );
    expect(routeOf(view, "shop/db-0.db").map((host) => host.clusters[0]?.cluster)).toEqual([
      "shop/v1|8080",
      "shop/db|8080",
    ]);
  });

  test("of two splits for one apex the older stands, then the first by name", () => {
    const [young, old] = [
      trafficSplit("shop", "a", "store", { v1: 1 }, { createdAt: 2 }),
      trafficSplit("shop", "b", "store.shop", { v2: 1 }, { createdAt: 1 }),
    ];
    expect(clusters(young, old)).toEqual([{ cluster: "shop/v2|8080", weight: 1 }]);
    expect(shop(apex, ...leaves, young, old).rejections).toMatchObject([
      { name: "a", strength: "object", reason: "apex-conflict" },
    ]);
  });

  test("a backend without a Service is left out, and the rest stands", () => {
    const split = trafficSplit("shop", "split", "store", { v1: 1, missing: 1 });
    expect(clusters(split)).toEqual([{ cluster: "shop/v1|8080", weight: 1 }]);
    expect(shop(apex, ...leaves, split).rejections).toMatchObject([
      { strength: "part", field: "spec.backends[1].service", reason: "backend-missing" },
    ]);
    expect(clusters(trafficSplit("shop", "split", "store", { missing: 1 }))).toEqual(own);
  });

  test("weight 0 stays for HTTP and goes for TCP, where Envoy refuses it", () => {
    expect(clusters(trafficSplit("shop", "split", "store", { v1: 0, v2: 1 }))).toHaveLength(2);
    const ports = [servicePort({ protocol: "tcp" })];
    const plain = [
      { ...apex, ports },
      ...workload("shop", "v1", 1, { ports }),
      ...workload("shop", "v2", 2, { ports }),
    ];
    const view = webView(...plain, trafficSplit("shop", "split", "store", { v1: 0, v2: 1 }));
    const chain = chains(view).find(({ name }) => name.includes("store"));
    expect(chain?.clusters).toEqual([{ cluster: "shop/v2|8080", weight: 1 }]);
  });

  test("an apex is visible with any of its leaves, and a leaf that is not open has no endpoints", () => {
    const target = trafficTarget("shop", "t", { to: "shop/v1", from: ["shop/web"], rules: [anyRoute] });
    const view = webView(smi, apex, ...leaves, target, trafficSplit("shop", "split", "store", { v1: 1, v2: 1 }));
    expect(chains(view).map(({ name }) => name)).toEqual(["outbound_shop/store_80_http", "outbound_shop/v1_80_http"]);
    expect(endpoints(view, "shop/v1|8080")).toHaveLength(1);
    expect(endpoints(view, "shop/v2|8080")).toEqual([]);
  });
});
