import { describe, expect, test } from "vitest";
import {
  endpointSlice,
  httpMatch,
  httpRouteGroup,
  meshConfig,
  namespaceRecord,
  put,
  remove,
  serviceRecord,
  trafficSplit,
  trafficTarget,
  workload,
} from "../../test/support/records.ts";
import {
  classOf,
  createMeshStore,
  type MeshRecord,
  type MeshSnapshot,
  type ProxyView,
  podOfProxy,
  proxyView,
} from "./mod.ts";
import { viewChanges } from "./view-changes.ts";
import { grantsFrom } from "./visible-services.ts";

function viewOf(snapshot: MeshSnapshot, namespace: string, pod: string): ProxyView {
  return proxyView(snapshot, classOf(snapshot, namespace, pod) ?? "");
}

function storeWith(...records: readonly MeshRecord[]) {
  const store = createMeshStore();
  store.apply(put(...records));
  return store;
}

describe("MeshStore.apply", () => {
  test("an object that was touched and says the same changes nothing", () => {
    const store = storeWith(namespaceRecord("shop"), ...workload("shop", "cart", 1));
    const before = store.snapshot();
    const changes = store.apply(put(...workload("shop", "cart", 1)));
    expect(changes.isEmpty).toBe(true);
    expect(store.snapshot()).toBe(before);
  });

  test("an object that appears and vanishes within one batch changes nothing", () => {
    const store = storeWith(namespaceRecord("shop"));
    const service = serviceRecord("shop", "cart");
    expect(store.apply([...put(service), remove(service)]).isEmpty).toBe(true);
    expect(store.snapshot().generation).toBe(1);
  });

  test("a change names the records that differ", () => {
    const store = storeWith(namespaceRecord("shop"), ...workload("shop", "cart", 1));
    const { changed } = store.apply(put(serviceRecord("shop", "other"), namespaceRecord("shop")));
    expect([...changed]).toEqual([["Service", new Set(["shop/other"])]]);
  });

  test("an object that moved to another line leaves every view as it is", () => {
    const records = workload("shop", "cart", 1);
    const store = storeWith(namespaceRecord("shop"), ...records);
    const before = viewOf(store.snapshot(), "shop", "cart-1");
    store.apply(put(...records.map((record) => ({ ...record, ref: { ...record.ref, line: 99 } }))));
    expect(store.snapshot().generation).toBe(2);
    expect(viewOf(store.snapshot(), "shop", "cart-1")).toBe(before);
  });

  test("a snapshot does not change when the store does", () => {
    const store = storeWith(namespaceRecord("shop"), ...workload("shop", "cart", 1));
    const before = store.snapshot();
    store.apply([remove(serviceRecord("shop", "cart"))]);
    const names = viewOf(before, "shop", "cart-1").resources.map(({ name }) => name);
    expect(names).toContain("shop/cart|8080");
  });
});

describe("proxyView", () => {
  test.each([true, false])(
    "endpoint churn changes the endpoints of that service alone (permissive: %s)",
    (isPermissive) => {
      const [service, pod, slice] = workload("shop", "cart", 1);
      const rest = [...workload("shop", "pay", 2), ...workload("shop", "web", 3)];
      const store = storeWith(namespaceRecord("shop"), meshConfig({ isPermissive }), service, pod, slice, ...rest);
      const before = viewOf(store.snapshot(), "shop", "web-1");
      store.apply(put(endpointSlice(service, [{ ...pod, isReady: false }])));
      const after = viewOf(store.snapshot(), "shop", "web-1");
      const changed = after.resources.filter((resource, position) => resource !== before.resources[position]);
      expect(changed.map(({ kind, name }) => `${kind} ${name}`)).toEqual(
        isPermissive ? ["endpoints shop/cart|8080"] : [],
      );
    },
  );

  test("a TrafficTarget edit changes the views of its source and destination alone", () => {
    const rules = [{ kind: "HTTPRouteGroup", name: "routes", matches: ["any"] } as const];
    const target = (from: readonly string[]) => trafficTarget("shop", "t", { to: "shop/cart", from, rules });
    const names = ["cart", "web", "pay", "job"] as const;
    const workloads = names.flatMap((name, position) => workload("shop", name, position));
    const group = httpRouteGroup("shop", "routes", [httpMatch("any")]);
    const store = storeWith(
      namespaceRecord("shop"),
      meshConfig({ isPermissive: false }),
      group,
      ...workloads,
      target(["shop/web"]),
    );
    const views = () => names.map((name) => viewOf(store.snapshot(), "shop", `${name}-1`));
    const before = views();
    store.apply(put(target(["shop/web", "shop/pay"])));
    const after = views();
    expect(names.filter((_name, position) => after[position] !== before[position])).toEqual(["cart", "pay"]);
  });

  test("another weight changes the route configuration of its apex alone", () => {
    const names = ["cart", "cart-v2", "pay", "pay-v2"] as const;
    const workloads = names.flatMap((name, position) => workload("shop", name, position));
    const split = (apex: string, weight: number) =>
      trafficSplit("shop", apex, apex, { [apex]: 100 - weight, [`${apex}-v2`]: weight });
    const store = storeWith(namespaceRecord("shop"), ...workloads, split("cart", 10), split("pay", 10));
    const routes = () =>
      viewOf(store.snapshot(), "shop", "pay-1").resources.filter(({ kind }) => kind === "outbound-route");
    const before = routes();
    store.apply(put(split("cart", 20)));
    const changed = routes().filter((route, position) => route !== before[position]);
    expect(changed).toMatchObject([
      { virtualHosts: [{ clusters: [{ weight: 20 }, { weight: 80 }] }], name: expect.stringContaining("shop/cart.") },
    ]);
  });

  test("switching the mode forth and back leads to what was before", () => {
    const store = storeWith(namespaceRecord("shop"), ...workload("shop", "cart", 1), ...workload("shop", "web", 2));
    const before = viewOf(store.snapshot(), "shop", "web-1");
    store.apply(put(meshConfig({ isPermissive: false })));
    const closed = viewOf(store.snapshot(), "shop", "web-1");
    expect(closed.resources.some(({ kind }) => kind === "upstream-cluster")).toBe(false);
    store.apply([remove(meshConfig())]);
    expect(viewOf(store.snapshot(), "shop", "web-1")).toEqual(before);
  });

  test("workloads share the resources that do not depend on who asks", () => {
    const store = storeWith(namespaceRecord("shop"), ...workload("shop", "cart", 1), ...workload("shop", "web", 2));
    const shared = (pod: string) =>
      viewOf(store.snapshot(), "shop", pod).resources.filter(
        ({ kind }) => kind === "upstream-cluster" || kind === "endpoints",
      );
    expect(shared("cart-1")).toHaveLength(4);
    for (const [position, resource] of shared("cart-1").entries()) expect(shared("web-1")[position]).toBe(resource);
  });

  test("a pod in the mesh that is in no service still has a class", () => {
    const [, pod] = workload("shop", "job", 1);
    const snapshot = storeWith(namespaceRecord("shop"), pod).snapshot();
    expect(viewOf(snapshot, "shop", "job-1").identity).toEqual({ namespace: "shop", serviceAccount: "job" });
  });

  test.each([
    ["without the mesh's label", namespaceRecord("shop", { monitoredBy: "other" })],
    ["that is ignored", namespaceRecord("shop", { isIgnored: true })],
  ])("a namespace %s has no part in the mesh", (_name, namespace) => {
    const snapshot = storeWith(namespace, ...workload("shop", "cart", 1)).snapshot();
    expect(classOf(snapshot, "shop", "cart-1")).toBeUndefined();
    expect(snapshot.namespaces.size).toBe(0);
  });
});

test("a pod that moves leaves other namespaces, other Services and all rights as they are", () => {
  const rules = [{ kind: "HTTPRouteGroup", name: "routes", matches: ["any"] } as const];
  const [service, pod, slice] = workload("shop", "cart", 1);
  const store = storeWith(
    ...[namespaceRecord("shop"), namespaceRecord("depot"), meshConfig({ isPermissive: false })],
    ...[service, pod, slice, ...workload("shop", "web", 2), ...workload("depot", "pay", 3)],
    httpRouteGroup("shop", "routes", [httpMatch("any")]),
    trafficTarget("shop", "t", { to: "shop/cart", from: ["shop/web", "depot/pay"], rules }),
  );
  const before = store.snapshot();
  const moved = { ...pod, addresses: ["10.0.0.99"] };
  store.apply(put(moved, endpointSlice(service, [{ ...moved, isReady: true }])));
  const after = store.snapshot();
  const shop = (snapshot: MeshSnapshot) => snapshot.namespaces.get("shop");
  expect(after.namespaces.get("depot")).toBe(before.namespaces.get("depot"));
  expect(shop(after)?.services.get("web")).toBe(shop(before)?.services.get("web"));
  expect(shop(after)?.services.get("cart")).not.toBe(shop(before)?.services.get("cart"));
  expect(after.grants).toBe(before.grants);
  const identity = { namespace: "depot", serviceAccount: "pay" };
  expect(grantsFrom(after, identity)).toHaveLength(1);
  expect(grantsFrom(after, identity)).toBe(grantsFrom(before, identity));
});

describe("a pod that changes", () => {
  const [service, pod, slice] = workload("shop", "cart", 1);

  test("in its address alone keeps its class, and no proxy is looked for again", () => {
    const store = storeWith(namespaceRecord("shop"), service, pod, slice);
    const before = store.snapshot();
    const moved = { ...pod, addresses: ["10.0.0.99"] };
    store.apply(put(moved, endpointSlice(service, [{ ...moved, isReady: true }])));
    const after = store.snapshot();
    expect(after.namespaces.get("shop")?.workloads).toBe(before.namespaces.get("shop")?.workloads);
    expect(viewChanges(before, after).namespaces).toEqual(new Set());
    expect(podOfProxy(after, pod.proxyUuid ?? "")?.addresses).toEqual(["10.0.0.99"]);
  });

  test.each([
    ["has another proxy", { proxyUuid: "another" }],
    ["has another account", { serviceAccount: "another" }],
    ["is older than another of its proxy's label", { createdAt: 5 }],
    ["is scraped from now on", { isScraped: true }],
  ])("so that it %s is looked at again", (_name, change) => {
    const store = storeWith(namespaceRecord("shop"), service, pod, slice);
    const before = store.snapshot();
    store.apply(put({ ...pod, ...change }));
    const after = store.snapshot();
    expect(viewChanges(before, after).namespaces).toEqual(new Set(["shop"]));
    const fresh = storeWith(namespaceRecord("shop"), service, { ...pod, ...change }, slice).snapshot();
    expect(classOf(after, "shop", pod.name)).toBe(classOf(fresh, "shop", pod.name));
  });
});

test("podOfProxy: a proxy uuid copied to a pod of somebody else takes nothing from its owner", () => {
  const [, pod] = workload("shop", "cart", 1);
  const thief = { ...workload("evil", "thief", 2)[1], proxyUuid: pod.proxyUuid ?? "" };
  const snapshot = storeWith(namespaceRecord("shop"), namespaceRecord("evil"), pod, thief).snapshot();
  const owner = { namespace: "shop", serviceAccount: "cart" };
  expect(podOfProxy(snapshot, pod.proxyUuid ?? "", owner)?.name).toBe("cart-1");
  expect(podOfProxy(snapshot, "unknown")).toBeUndefined();
});
