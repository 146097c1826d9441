import { describe, expect, test } from "vitest";
import {
  httpMatch,
  httpRouteGroup,
  meshConfig,
  namespaceRecord,
  put,
  servicePort,
  tcpRoute,
  trafficSplit,
  trafficTarget,
  workload,
} from "../../test/support/records.ts";
import { createMeshStore, type MeshRecord, viewChanges } from "./mod.ts";

const smi = meshConfig({ isPermissive: false });
const http = { kind: "HTTPRouteGroup", name: "routes", matches: ["any"] } as const;
const tcp = { kind: "TCPRoute", name: "db", matches: [] } as const;
const callers = ["shop/web", "shop/cart"];

function stockFrom(from: readonly string[], rules: Parameters<typeof trafficTarget>[2]["rules"] = [http]) {
  return trafficTarget("shop", "to-stock", { to: "shop/stock", from, rules });
}

const world: readonly MeshRecord[] = [
  smi,
  namespaceRecord("shop"),
  ...workload("shop", "web", 1),
  ...workload("shop", "cart", 2),
  ...workload("shop", "stock", 3),
  ...workload("shop", "stock-v2", 4),
  httpRouteGroup("shop", "routes", [httpMatch("any"), httpMatch("read", { methods: ["GET"] })]),
  tcpRoute("shop", "db", []),
  stockFrom(callers),
  trafficSplit("shop", "split", "stock", { stock: 50, "stock-v2": 50 }),
];

/** What may differ after an edit: stages as a whole, and parts. */
function concernedBy(records: readonly MeshRecord[], ...edit: readonly MeshRecord[]): readonly string[] {
  const store = createMeshStore();
  store.apply(put(...records));
  const before = store.snapshot();
  store.apply(put(...edit));
  const { stages, parts } = viewChanges(before, store.snapshot());
  return [...[...stages].map((stage) => `all ${stage}`), ...parts].sort();
}

const stages = (...owners: readonly string[]) =>
  owners.flatMap((owner) => [`base ${owner}`, `endpoints ${owner}`, `routes ${owner}`]);
const inbound = (account: string) => expect.stringMatching(`^inbound shop/${account}`);

describe("a TrafficTarget that is edited does not concern the sources that it keeps", () => {
  test.each([
    ["another source", stockFrom([...callers, "shop/other"]), stages("shop/other")],
    ["another source, named twice", stockFrom([...callers, "shop/other", "shop/other"]), stages("shop/other")],
    ["a source less", stockFrom(["shop/web"]), stages("shop/cart")],
    ["other requests", stockFrom(callers, [{ ...http, matches: ["read"] }]), []],
  ] as const)("%s", (_, target, outbound) => {
    const found = concernedBy(world, target);
    expect(found).toEqual(expect.arrayContaining([...outbound, inbound("stock/")]));
    expect(found).toHaveLength(outbound.length + 1);
  });

  test("but for ports of another kind, which they see from now on", () => {
    const found = concernedBy(world, stockFrom(callers, [http, tcp]));
    expect(found).toEqual(expect.arrayContaining(stages(...callers)));
  });

  test("but for another destination", () => {
    const other = trafficTarget("shop", "to-stock", { to: "shop/stock-v2", from: callers, rules: [http] });
    expect(concernedBy(world, other)).toEqual(expect.arrayContaining(stages(...callers)));
  });
});

describe("a TrafficSplit of which only weights differ", () => {
  const reweighed = trafficSplit("shop", "split", "stock", { stock: 10, "stock-v2": 90 });

  test("concerns the routes of those who see it", () => {
    expect(concernedBy(world, reweighed)).toEqual(["routes shop/cart", "routes shop/web"]);
  });

  test("concerns everybody's routes in permissive mode", () => {
    expect(concernedBy([...world, meshConfig({ isPermissive: true })], reweighed)).toEqual(["all routes"]);
  });

  test("concerns listeners where it splits connections", () => {
    const ports = [servicePort({ protocol: "tcp" })];
    const plain = [...workload("shop", "stock", 3, { ports }), ...workload("shop", "stock-v2", 4, { ports })];
    expect(concernedBy([...world, ...plain, stockFrom(callers, [tcp])], reweighed)).toEqual(
      expect.arrayContaining(stages(...callers)),
    );
  });
});

test("another backend of a TrafficSplit concerns the clusters of those who see it", () => {
  const further = trafficSplit("shop", "split", "stock", { stock: 50, "stock-v2": 50, cart: 0 });
  expect(concernedBy(world, further)).toEqual(expect.arrayContaining(stages(...callers)));
});
