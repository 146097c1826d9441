import { describe, expect, test } from "vitest";
import { snapshotOf } from "../../test/support/mesh.ts";
import {
  httpMatch,
  httpRouteGroup,
  meshConfig,
  namespaceRecord,
  servicePort,
  serviceRecord,
  tcpRoute,
  trafficSplit,
  trafficTarget,
  workload,
} from "../../test/support/records.ts";
import { classOf, type DecisionRequest, decide, type MeshRecord, provenance } from "./mod.ts";

const buyer = { namespace: "shop", serviceAccount: "buyer" };
const thief = { namespace: "shop", serviceAccount: "thief" };
const world: readonly MeshRecord[] = [
  namespaceRecord("shop"),
  meshConfig({ isPermissive: false, isEgressEnabled: false }),
  serviceRecord("shop", "store", { clusterIps: ["10.96.1.1"] }),
  ...workload("shop", "v1", 1),
  ...workload("shop", "v2", 2),
  ...workload("shop", "db", 3, {
    ports: [servicePort({ port: 3306, targetPort: 3306, protocol: "tcp-server-first" })],
  }),
  ...workload("shop", "buyer", 4),
  httpRouteGroup("shop", "routes", [
    httpMatch("buy", { pathRegex: "/buy/[a-z]+", methods: ["GET"], headers: [{ name: "client", regex: "app.*" }] }),
    httpMatch("restock", { pathRegex: "/restock", methods: ["POST"] }),
  ]),
  tcpRoute("shop", "sql", [3306]),
  trafficTarget("shop", "buying", {
    to: "shop/v1",
    from: ["shop/buyer"],
    rules: [{ kind: "HTTPRouteGroup", name: "routes", matches: ["buy"] }],
  }),
  trafficTarget("shop", "restocking", {
    to: "shop/v1",
    from: ["shop/keeper"],
    rules: [{ kind: "HTTPRouteGroup", name: "routes", matches: ["restock"] }],
  }),
  trafficTarget("shop", "storing", {
    to: "shop/db",
    from: ["shop/v1"],
    rules: [{ kind: "TCPRoute", name: "sql", matches: [] }],
  }),
];
const snapshot = snapshotOf(...world);
const toV1 = { host: "v1.shop", port: 80 };
const buy = { source: buyer, destination: toV1, path: "/buy/book?n=1", headers: { client: "app-1" } };

describe("decide", () => {
  test.each<[string, DecisionRequest, string]>([
    ["what a route opens reaches the application", buy, "allowed"],
    ["a path that no route has is not found", { ...buy, path: "/buy/1" }, "no-route-404"],
    ["a method that no route has is not found", { ...buy, method: "PUT" }, "no-route-404"],
    ["a header that does not match is not found", { ...buy, headers: { client: "web" } }, "no-route-404"],
    ["a route of somebody else is denied", { ...buy, method: "POST", path: "/restock" }, "denied-403"],
    ["a name that the service does not have is not found", { ...buy, authority: "v2.shop" }, "no-route-404"],
    ["a client without any right is refused", { ...buy, source: thief }, "refused"],
    ["a TCP port without a right is refused", { source: buyer, destination: { host: "db", port: 3306 } }, "refused"],
    [
      "a TCP port with a right is reached",
      { source: { namespace: "shop", serviceAccount: "v1" }, destination: { host: "db", port: 3306 } },
      "allowed",
    ],
    [
      "an unknown address is refused when egress is off",
      { source: buyer, destination: { address: "192.0.2.1", port: 80 } },
      "refused",
    ],
  ])("%s", (_name, request, outcome) => {
    expect(decide(snapshot, request).outcome).toBe(outcome);
  });

  test("an unknown address passes when egress is on, and a pod of the mesh still refuses", () => {
    const open = snapshotOf(...world, meshConfig({ isPermissive: false, isEgressEnabled: true }));
    const outcome = (address: string) => decide(open, { source: thief, destination: { address, port: 80 } }).outcome;
    expect([outcome("192.0.2.1"), outcome("10.244.0.1"), outcome("10.96.0.1")]).toEqual([
      "passthrough",
      "refused",
      "refused",
    ]);
  });

  test("each share of a split has its own outcome", () => {
    const split = snapshotOf(...world, trafficSplit("shop", "split", "store", { v1: 3, v2: 1 }));
    const decision = decide(split, { ...buy, destination: { host: "store.shop", port: 80 } });
    expect(decision.outcome).toBe("mixed");
    expect(decision.candidates).toMatchObject([
      { cluster: "shop/v1|8080", weight: 3, outcome: "allowed" },
      { cluster: "shop/v2|8080", weight: 1, outcome: "unavailable-503" },
    ]);
  });

  test("a backend with weight 0 has no say", () => {
    const split = snapshotOf(...world, trafficSplit("shop", "split", "store", { v1: 1, v2: 0 }));
    expect(decide(split, { ...buy, destination: { host: "store.shop", port: 80 } }).outcome).toBe("allowed");
  });

  test("it names the objects that decided", () => {
    const names = decide(snapshot, buy).objects.map(({ kind, name }) => `${kind} ${name}`);
    expect(names).toEqual([
      "HTTPRouteGroup routes",
      "MeshConfig osm-mesh-config",
      "Service v1",
      "TrafficTarget buying",
    ]);
  });
});

describe("provenance", () => {
  const objects = (pod: string, kind: Parameters<typeof provenance>[2]["kind"], name: string) =>
    provenance(snapshot, classOf(snapshot, "shop", pod) ?? "", { kind, name }).map((ref) => `${ref.kind} ${ref.name}`);

  test.each([
    ["upstream-cluster", "shop/v1|8080", ["MeshConfig osm-mesh-config", "Service v1"]],
    [
      "endpoints",
      "shop/v1|8080",
      ["EndpointSlice v1-slice", "HTTPRouteGroup routes", "Service v1", "TrafficTarget buying"],
    ],
    ["outbound-route", "rds-outbound.shop/v1.80", ["HTTPRouteGroup routes", "Service v1", "TrafficTarget buying"]],
    ["outbound-route", "rds-outbound.shop/v2.80", []],
  ] as const)("of %s %s leads to its objects", (kind, name, expected) => {
    expect(objects("buyer-1", kind, name)).toEqual(expected);
  });

  test("of a server's routes leads to every target that opens it", () => {
    expect(objects("v1-1", "inbound-route", "rds-inbound.8080")).toEqual([
      "HTTPRouteGroup routes",
      "Service v1",
      "TrafficTarget buying",
      "TrafficTarget restocking",
    ]);
  });
});
