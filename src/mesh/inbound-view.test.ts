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
import type { MeshRecord } from "./mod.ts";

const smi = meshConfig({ isPermissive: false });
const groups = httpRouteGroup("shop", "routes", [
  httpMatch("any"),
  httpMatch("books", { pathRegex: "/books" }),
  httpMatch("buy", { pathRegex: "/books", methods: ["POST", "PUT"] }),
]);

function cartView(...records: readonly MeshRecord[]) {
  const snapshot = snapshotOf(namespaceRecord("shop"), namespaceRecord("depot"), groups, ...records);
  return viewOfPod(snapshot, "shop", "cart-1");
}
function open(name: string, from: readonly string[], ...matches: readonly string[]) {
  const rules = [{ kind: "HTTPRouteGroup", name: "routes", matches } as const];
  return trafficTarget("shop", name, { to: "shop/cart", from, rules });
}
function chainsOf(view: ReturnType<typeof cartView>) {
  return resourcesOf(view, "inbound-listener")[0]?.chains ?? [];
}
function routesOf(view: ReturnType<typeof cartView>) {
  return resourcesOf(view, "inbound-route")[0]?.virtualHosts[0]?.routes ?? [];
}

describe("inbound listener", () => {
  test("permissive mode lets every client of the mesh in", () => {
    const view = cartView(...workload("shop", "cart", 1));
    expect(chainsOf(view)).toEqual([
      {
        name: "inbound_shop/cart_8080_http",
        port: 8080,
        serverNames: ["cart.shop.svc.cluster.local"],
        route: "rds-inbound.8080",
      },
    ]);
    expect(routesOf(view)).toEqual([{ pathRegex: ".*", method: "*", headers: [], cluster: "shop/cart|8080|local" }]);
  });

  test("SMI mode without a TrafficTarget lets nobody in, by HTTP or TCP", () => {
    const ports = [servicePort(), servicePort({ name: "raw", port: 90, targetPort: 9090, protocol: "tcp" })];
    const view = cartView(smi, ...workload("shop", "cart", 1, { ports }));
    const chains = chainsOf(view);
    expect(chains).toMatchObject([{ route: "rds-inbound.8080" }, { policies: [] }]);
    expect(routesOf(view)).toEqual([]);
  });

  test("a TCP chain admits exactly the clients whose TCPRoute names its target port", () => {
    const ports = [servicePort({ port: 90, targetPort: 9090, protocol: "tcp-server-first" })];
    const target = (name: string, from: string, route: string) =>
      trafficTarget("shop", name, {
        to: "shop/cart",
        from: [from],
        rules: [{ kind: "TCPRoute", name: route, matches: [] }],
      });
    const [chain] = chainsOf(
      cartView(
        smi,
        ...workload("shop", "cart", 1, { ports }),
        tcpRoute("shop", "right", [9090]),
        tcpRoute("shop", "wrong", [90]),
        target("a", "depot/client", "right"),
        target("b", "depot/stranger", "wrong"),
        target("c", "depot/nobody", "missing"),
      ),
    );
    expect(chain?.policies).toEqual([{ name: "shop/a", principals: ["client.depot.cluster.local"], ports: [9090] }]);
  });

  test("two ports of a service that lead to one target port share a chain and answer to both", () => {
    const ports = [servicePort({ name: "a" }), servicePort({ name: "b", port: 81 })];
    const view = cartView(...workload("shop", "cart", 1, { ports }));
    expect(chainsOf(view)).toHaveLength(1);
    const [host] = resourcesOf(view, "inbound-route")[0]?.virtualHosts ?? [];
    expect(host?.domains).toEqual(expect.arrayContaining(["cart:80", "cart:81"]));
  });

  test("of two protocols on one target port the first one listed stands, and the other is reported", () => {
    const ports = [servicePort({ name: "a" }), servicePort({ name: "b", port: 81, protocol: "tcp" })];
    const records = [namespaceRecord("shop"), ...workload("shop", "cart", 1, { ports })];
    const snapshot = snapshotOf(...records);
    expect(chainsOf(viewOfPod(snapshot, "shop", "cart-1")).map(({ name }) => name)).toEqual([
      "inbound_shop/cart_8080_http",
    ]);
    expect(snapshot.rejections).toMatchObject([{ field: "spec.ports[1]", strength: "part", reason: "port-conflict" }]);
  });

  test("a named target port is the one of this very pod", () => {
    const service = serviceRecord("shop", "cart", { ports: [servicePort({ targetPort: "web" })] });
    const [old, next] = [3000, 4000].map((port, position) =>
      podRecord("shop", `cart-${position}`, "cart", `10.244.0.${position}`, {
        ports: [
          { name: "admin", port: 1 },
          { name: "web", port },
        ],
      }),
    );
    if (old === undefined || next === undefined) throw new Error("two pods are needed");
    const snapshot = snapshotOf(namespaceRecord("shop"), service, old, next);
    const chain = (pod: string) => chainsOf(viewOfPod(snapshot, "shop", pod))[0]?.name;
    expect(chain("cart-0")).toBe("inbound_shop/cart_3000_http");
    expect(chain("cart-1")).toBe("inbound_shop/cart_4000_http");
    expect(namesOf(viewOfPod(snapshot, "shop", "cart-0"), "upstream-cluster")).toEqual(["shop/cart|3000"]);
  });

  test("of two protocols that meet on one port of this pod alone, the first one listed stands", () => {
    const ports = [
      servicePort({ name: "a" }),
      servicePort({ name: "b", port: 81, targetPort: "web", protocol: "tcp" }),
    ];
    const [service, pod] = workload("shop", "cart", 1, { ports });
    const named = (port: number, name: string) => ({ ...pod, name, ports: [{ name: "web", port }] });
    const view = cartView(service, named(8080, "cart-1"), named(7000, "cart-2"));
    expect(chainsOf(view).map(({ name }) => name)).toEqual(["inbound_shop/cart_8080_http"]);
  });

  test("endpoints that lag behind their Service never give one port of a pod two protocols", () => {
    const ports = [servicePort({ name: "a" }), servicePort({ name: "b", port: 79, targetPort: 9090, protocol: "tcp" })];
    const [service, pod] = workload("shop", "cart", 1, { ports });
    const lagging = endpointSlice(
      service,
      [pod],
      [
        { name: "a", port: 8080 },
        { name: "b", port: 8080 },
      ],
    );
    const chains = chainsOf(cartView(service, pod, lagging));
    expect(chains.map(({ name }) => name)).toEqual(["inbound_shop/cart_8080_http", "inbound_shop/cart_9090_tcp"]);
  });

  test("a target without sources lets nobody in", () => {
    const ports = [servicePort(), servicePort({ name: "raw", port: 90, targetPort: 9090, protocol: "tcp" })];
    const rules = [
      { kind: "HTTPRouteGroup", name: "routes", matches: ["any"] },
      { kind: "TCPRoute", name: "raw", matches: [] },
    ] as const;
    const target = trafficTarget("shop", "nobody", { to: "shop/cart", from: [], rules });
    const view = cartView(
      smi,
      groups,
      tcpRoute("shop", "raw", [9090]),
      target,
      ...workload("shop", "cart", 1, { ports }),
    );
    expect(routesOf(view).every(({ principals }) => principals?.length === 0)).toBe(true);
    expect(chainsOf(view).flatMap(({ policies }) => policies ?? [])).toEqual([]);
  });

  test("an edited HTTP policy leaves the listener, and so its connections, alone", () => {
    const listenerOf = (...policies: readonly MeshRecord[]) =>
      resourcesOf(cartView(smi, ...workload("shop", "cart", 1), ...policies), "inbound-listener");
    expect(listenerOf(open("a", ["shop/web"], "any"))).toEqual(listenerOf());
  });

  test("a pod of a StatefulSet answers to its own name as well", () => {
    const service = serviceRecord("shop", "cart", { isHeadless: true });
    const pod = podRecord("shop", "cart-1", "cart", "10.244.0.1", { hostname: "cart-1", subdomain: "cart" });
    const view = cartView(service, pod, endpointSlice(service, [pod]));
    expect(chainsOf(view).flatMap(({ serverNames }) => serverNames)).toEqual([
      "cart-1.cart.shop.svc.cluster.local",
      "cart.shop.svc.cluster.local",
    ]);
    const hosts = resourcesOf(view, "inbound-route")[0]?.virtualHosts ?? [];
    expect(hosts.flatMap(({ domains }) => domains)).toEqual(expect.arrayContaining(["cart", "cart-1.cart.shop:80"]));
  });

  test("a pod that only handwritten endpoints name is called on the port that they say", () => {
    const { selector: _none, ...service } = serviceRecord("shop", "alias", { clusterIps: ["10.96.3.3"] });
    const [, pod] = workload("shop", "cart", 1);
    const slice = endpointSlice(service, [pod], [{ name: "", port: 7070 }]);
    const view = cartView(service, pod, slice);
    expect(chainsOf(view)[0]?.name).toBe("inbound_shop/alias_7070_http");
    expect(resourcesOf(view, "upstream-cluster")[0]).toMatchObject({
      name: "shop/alias|7070",
      serverSans: ["cart.shop.cluster.local"],
    });
  });

  test("Prometheus is let in where the pod asks for it", () => {
    const [, pod] = workload("shop", "cart", 1);
    expect(namesOf(cartView({ ...pod, isScraped: true }), "metrics-listener")).toEqual(["inbound-prometheus-listener"]);
    expect(namesOf(cartView(pod), "metrics-listener")).toEqual([]);
  });
});

describe("inbound routes", () => {
  const cart = workload("shop", "cart", 1);

  test("targets that open the same route share it", () => {
    const view = cartView(smi, ...cart, open("a", ["shop/web"], "books"), open("b", ["depot/app"], "books"));
    expect(routesOf(view)).toEqual([
      {
        pathRegex: "/books",
        method: "*",
        headers: [],
        cluster: "shop/cart|8080|local",
        principals: ["app.depot.cluster.local", "web.shop.cluster.local"],
      },
    ]);
  });

  test("a narrow route of one client does not shut out a client with a wider one, nor the reverse", () => {
    const view = cartView(smi, ...cart, open("wide", ["shop/web"], "any"), open("narrow", ["depot/app"], "buy"));
    const summary = routesOf(view).map(({ pathRegex, method, principals }) => [method, pathRegex, principals]);
    const both = ["app.depot.cluster.local", "web.shop.cluster.local"];
    expect(summary).toEqual([
      ["POST", "/books", both],
      ["PUT", "/books", both],
      ["*", ".*", ["web.shop.cluster.local"]],
    ]);
  });

  test("a rule without matches opens no route", () => {
    const view = cartView(smi, ...cart, open("a", ["shop/web"]));
    expect(routesOf(view)).toEqual([]);
  });

  test("an unknown match or a missing route object is reported, and the rest stands", () => {
    const rules = [
      { kind: "HTTPRouteGroup", name: "routes", matches: ["books", "nope"] } as const,
      { kind: "HTTPRouteGroup", name: "gone", matches: ["x"] } as const,
    ];
    const target = trafficTarget("shop", "t", { to: "shop/cart", from: ["shop/web"], rules });
    const snapshot = snapshotOf(namespaceRecord("shop"), smi, groups, ...cart, target);
    expect(routesOf(viewOfPod(snapshot, "shop", "cart-1"))).toHaveLength(1);
    expect(snapshot.rejections).toMatchObject([
      { strength: "part", field: "spec.rules[0].matches[1]", reason: "match-unknown" },
      { strength: "part", field: "spec.rules[1].name", reason: "route-group-missing" },
    ]);
  });

  test("a target whose destination lies in another namespace opens nothing there", () => {
    const rules = [{ kind: "HTTPRouteGroup", name: "routes", matches: ["any"] } as const];
    const target = trafficTarget("depot", "t", { to: "shop/cart", from: ["depot/app"], rules });
    const foreign = httpRouteGroup("depot", "routes", [httpMatch("any")]);
    const snapshot = snapshotOf(namespaceRecord("shop"), namespaceRecord("depot"), smi, ...cart, foreign, target);
    expect(routesOf(viewOfPod(snapshot, "shop", "cart-1"))).toEqual([]);
    expect(snapshot.rejections).toMatchObject([
      { namespace: "depot", strength: "object", reason: "destination-namespace" },
    ]);
  });

  test("the leaf of a split answers to the names of its apex", () => {
    const apex = serviceRecord("shop", "store");
    const view = cartView(...cart, apex, trafficSplit("shop", "s", "store", { cart: 1 }));
    const hosts = resourcesOf(view, "inbound-route")[0]?.virtualHosts ?? [];
    expect(hosts.find(({ name }) => name.endsWith("|store.shop.svc.cluster.local"))?.domains).toContain("store.shop");
    expect(namesOf(view, "local-cluster")).toEqual(["shop/cart|8080|local", "shop/store|8080|local"]);
  });
});
