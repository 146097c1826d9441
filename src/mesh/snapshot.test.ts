import { describe, expect, test } from "vitest";
import {
  endpointSlice,
  httpMatch,
  httpRouteGroup,
  meshConfig,
  namespaceRecord,
  podRecord,
  put,
  serviceRecord,
  trafficSplit,
  trafficTarget,
  workload,
} from "../../test/support/records.ts";
import { createMeshStore, type MeshRecord, type MeshSnapshot } from "./mod.ts";

const rules = [{ kind: "HTTPRouteGroup", name: "routes", matches: ["any"] } as const];
const [cart, cartPod, cartSlice] = workload("shop", "cart", 1);
const database = serviceRecord("shop", "database", { isHeadless: true, clusterIps: [] });
const databasePod = podRecord("shop", "database-1", "database", "10.1.0.9");

const world: readonly MeshRecord[] = [
  namespaceRecord("shop"),
  namespaceRecord("bank"),
  namespaceRecord("foreign", { monitoredBy: "another" }),
  meshConfig({ isPermissive: false }),
  cart,
  cartPod,
  cartSlice,
  ...workload("shop", "cart-v2", 2),
  ...workload("bank", "pay", 3),
  ...workload("foreign", "web", 4),
  httpRouteGroup("shop", "routes", [httpMatch("any")]),
  trafficTarget("shop", "target", { to: "shop/cart", from: ["bank/pay"], rules }),
  trafficSplit("shop", "split", "cart", { cart: 50, "cart-v2": 50 }),
];

/** What is put together of all namespaces. */
function wholeOf({ settings, rejections, claims, structure, splits, grants }: MeshSnapshot) {
  const { shared, remaining } = claims;
  return {
    settings,
    rejections,
    shared,
    remaining,
    claimed: claims.rejections,
    ports: structure.ports,
    splits,
    grants,
  };
}

/** The snapshot after an edit, and that of a world which never was another one. */
function edited(before: readonly MeshRecord[], ...edit: readonly MeshRecord[]) {
  const store = createMeshStore();
  store.apply(put(...before));
  const earlier = store.snapshot();
  store.apply(put(...edit));
  const fresh = createMeshStore();
  fresh.apply(put(...before, ...edit));
  return { earlier, snapshot: store.snapshot(), fresh: fresh.snapshot() };
}

describe("a change within one namespace", () => {
  test.each<readonly [string, MeshRecord]>([
    ["a port of a Service", { ...cart, ports: cart.ports.map((port) => ({ ...port, port: 81 })) }],
    ["the address of a Service", { ...cart, clusterIps: ["10.96.0.3"] }],
    ["another Service", serviceRecord("shop", "new", { clusterIps: ["10.96.0.77"] })],
    ["the weights of a split", trafficSplit("shop", "split", "cart", { cart: 10, "cart-v2": 90 })],
    ["a split's backends", trafficSplit("shop", "split", "cart", { cart: 100 })],
    ["a right", trafficTarget("shop", "target", { to: "shop/cart", from: ["bank/other"], rules })],
    ["a right that has no effect", trafficTarget("shop", "lost", { to: "shop/cart", from: [], rules: [] })],
    ["a split that has no effect", trafficSplit("shop", "wrong", "nothing", { nobody: 1 })],
    ["the settings", meshConfig({ isPermissive: true })],
    ["a namespace that joins", namespaceRecord("foreign")],
  ])("reaches whoever depends on it: %s", (_what, edit) => {
    const { earlier, snapshot, fresh } = edited(world, edit);
    expect(wholeOf(snapshot)).toEqual(wholeOf(fresh));
    expect(wholeOf(snapshot)).not.toEqual(wholeOf(earlier));
  });

  test("a pod takes an address from another namespace's headless Service", () => {
    const before = [...world, database, databasePod, endpointSlice(database, [databasePod])];
    const thief = podRecord("bank", "thief-1", "thief", "10.1.0.9");
    const stolen = before.filter((record) => record !== databasePod);
    const { earlier, snapshot, fresh } = edited(stolen, thief);
    expect(snapshot.claims.rejections.map(({ reason }) => reason)).toEqual(["address-foreign"]);
    expect(wholeOf(snapshot)).toEqual(wholeOf(fresh));
    expect(earlier.claims.rejections).toEqual([]);
  });

  test.each<readonly [string, readonly MeshRecord[]]>([
    ["an endpoint", [endpointSlice(cart, [{ ...cartPod, isReady: false }])]],
    ["a pod", [podRecord("shop", "cart-9", "cart", "10.0.0.99")]],
    ["what is not of the mesh", [...workload("foreign", "web", 5)]],
  ])("leaves what others read as it is: %s", (_what, edit) => {
    const { earlier, snapshot, fresh } = edited(world, ...edit);
    expect(wholeOf(snapshot)).toEqual(wholeOf(fresh));
    expect(snapshot.generation).toBe(earlier.generation + 1);
    expect(snapshot.structure).toBe(earlier.structure);
    expect(snapshot.claims).toBe(earlier.claims);
    expect([...snapshot.namespaces.keys()]).toEqual([...fresh.namespaces.keys()]);
  });
});
