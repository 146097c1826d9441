import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  createMeshStore,
  decide,
  type MeshRecord,
  type MeshSnapshot,
  type PodRecord,
  type ProxyView,
  proxyView,
  type ResourceView,
} from "../../src/mesh/mod.ts";
import { resourcesOf, snapshotOf, viewOfPod } from "../support/mesh.ts";
import { fixedRecords, recordsIn, restlessRecords, worldRecords } from "../support/random-world.ts";
import { put, remove } from "../support/records.ts";
import { simulate } from "../support/view-simulator.ts";

/** The last of those that say the same object, in first-seen order: what a world of these records holds. */
function lastOfEach(records: readonly MeshRecord[]): readonly MeshRecord[] {
  return [...new Map(records.map((record) => [JSON.stringify(remove(record)), record])).values()];
}

function podsOf(records: readonly MeshRecord[]): readonly PodRecord[] {
  return records.filter((record) => record.kind === "Pod");
}

/** Everything that a snapshot says to the outside. */
function contentOf(snapshot: MeshSnapshot): unknown {
  const classes = [...snapshot.namespaces.values()].flatMap(({ workloads }) => [...workloads.classByPod]);
  return {
    rejections: snapshot.rejections,
    views: new Map(classes.sort().map(([pod, key]) => [`${pod} ${key}`, proxyView(snapshot, key)])),
  };
}

describe("mesh", () => {
  test("the order and grouping of changes never matters", () => {
    const input = restlessRecords().chain((records) =>
      fc.record({
        records: fc.constant(lastOfEach(records)),
        shuffled: fc.shuffledSubarray([...lastOfEach(records)], { minLength: lastOfEach(records).length }),
        detours: fc.shuffledSubarray([...records]),
      }),
    );
    fc.assert(
      fc.property(input, ({ records, shuffled, detours }) => {
        const atOnce = snapshotOf(...records);
        const store = createMeshStore();
        for (const record of [...detours, ...shuffled]) {
          store.apply(put(record));
          contentOf(store.snapshot());
        }
        expect(contentOf(store.snapshot())).toEqual(contentOf(atOnce));
      }),
    );
  });

  test("what is taken away leaves nothing behind", () => {
    fc.assert(
      fc.property(restlessRecords(), restlessRecords(), (kept, passing) => {
        const store = createMeshStore();
        store.apply(put(...passing));
        contentOf(store.snapshot());
        store.apply([...passing.map(remove), ...put(...kept)]);
        expect(contentOf(store.snapshot())).toEqual(contentOf(snapshotOf(...kept)));
      }),
    );
  });

  test("a view never holds what Envoy refuses", () => {
    fc.assert(
      fc.property(worldRecords(), (records) => {
        const snapshot = snapshotOf(...records);
        for (const { workloads } of snapshot.namespaces.values()) {
          for (const key of workloads.classes.keys()) expectAcceptable(proxyView(snapshot, key));
        }
      }),
    );
  });

  test("objects of one namespace never change what others own", () => {
    const shop = fc.array(recordsIn("shop", ["depot"], []), { minLength: 5, maxLength: 25 });
    const depot = fc.array(recordsIn("depot", ["shop"]), { minLength: 1, maxLength: 15 });
    fc.assert(
      fc.property(fixedRecords, shop, depot, (fixed, own, foreign) => {
        // The older object wins an address that two claim, so the strangers are the younger ones here.
        const strangers = foreign.map((record) => ({ ...record, createdAt: 10 }));
        const [alone, together] = [snapshotOf(...fixed, ...own), snapshotOf(...fixed, ...own, ...strangers)];
        for (const pod of podsOf(lastOfEach(own))) {
          const ofShop = (snapshot: MeshSnapshot) => ownedBy("shop", viewOfPod(snapshot, "shop", pod.name));
          expect(ofShop(together)).toEqual(ofShop(alone));
        }
      }),
    );
  });

  test("the evaluator agrees with what the views say, hop by hop", () => {
    const request = fc.record({
      address: fc.constantFrom(
        "10.96.0.0",
        "10.96.0.1",
        "10.96.0.2",
        "10.244.1.0",
        "10.244.1.1",
        "10.244.2.0",
        "192.0.2.1",
      ),
      port: fc.constantFrom(80, 81),
      authority: fc.constantFrom(
        "a",
        "b.shop",
        "c.shop.svc:80",
        "a.depot",
        "pod-0.a.shop",
        "b.depot.svc.cluster.local",
      ),
      method: fc.constantFrom("GET", "POST"),
      path: fc.constantFrom("/x", "/y", "/z"),
      headers: fc.constantFrom({}, { user: "alice" }),
    });
    fc.assert(
      fc.property(worldRecords(), fc.array(request, { minLength: 10, maxLength: 10 }), (records, requests) => {
        const snapshot = snapshotOf(...records);
        const pods = podsOf(lastOfEach(records));
        for (const source of pods) {
          for (const { address, port, ...rest } of requests) {
            const decision = decide(snapshot, { source, destination: { address, port }, ...rest });
            const seen = simulate(snapshot, pods, { source, address, port, ...rest });
            if (isClusterIp(address) && decision.candidates.length === 0 && decision.outcome !== "no-route-404")
              continue;
            const outcomes = decision.candidates.map(({ outcome }) => outcome);
            expect([...new Set(outcomes.length > 0 ? outcomes : [decision.outcome])].sort()).toEqual(seen);
          }
        }
      }),
    );
  });
});

/** Where a cluster IP leads without a sidecar's help is not in any view. */
function isClusterIp(address: string): boolean {
  return address.startsWith("10.96.");
}

function expectUnique(values: readonly string[]): void {
  expect(values.filter((value, position) => values.indexOf(value) !== position)).toEqual([]);
}

function expectAcceptable(view: ProxyView): void {
  const names = (kind: ResourceView["kind"]) => resourcesOf(view, kind).map(({ name }) => name);
  expectUnique(view.resources.map(({ kind, name }) => `${kind} ${name}`));
  const clusters = new Set([...names("upstream-cluster"), ...names("local-cluster")]);
  expect(names("endpoints").sort()).toEqual(names("upstream-cluster").sort());
  for (const { chains } of resourcesOf(view, "outbound-listener")) {
    expectUnique(chains.map(({ name }) => name));
    expectUnique(chains.flatMap(({ port, addresses }) => addresses.map((address) => `${address}:${port}`)));
    for (const chain of chains) {
      expect(chain.addresses.length).toBeGreaterThan(0);
      if (chain.route !== undefined) expect(names("outbound-route")).toContain(chain.route);
      else expect(chain.clusters?.every(({ weight }) => weight > 0)).toBe(true);
      for (const { cluster } of chain.clusters ?? []) expect(clusters).toContain(cluster);
    }
  }
  for (const { virtualHosts } of resourcesOf(view, "outbound-route")) {
    expectUnique(virtualHosts.flatMap(({ domains }) => domains));
    for (const host of virtualHosts) {
      expect(host.clusters.some(({ weight }) => weight > 0)).toBe(true);
      for (const { cluster } of host.clusters) expect(clusters).toContain(cluster);
    }
  }
  for (const { chains } of resourcesOf(view, "inbound-listener")) {
    expect(chains.length).toBeGreaterThan(0);
    expectUnique(chains.flatMap(({ port, serverNames }) => serverNames.map((server) => `${server}:${port}`)));
    for (const chain of chains) {
      for (const policy of chain.policies ?? []) expect(policy.principals.length).toBeGreaterThan(0);
      if (chain.route !== undefined) expect(names("inbound-route")).toContain(chain.route);
      else expect(clusters).toContain(chain.cluster);
    }
  }
  for (const { virtualHosts } of resourcesOf(view, "inbound-route")) {
    expectUnique(virtualHosts.flatMap(({ domains }) => domains));
    for (const { routes } of virtualHosts) for (const { cluster } of routes) expect(clusters).toContain(cluster);
  }
}

/** The parts of a view that belong to one namespace's services. */
function ownedBy(namespace: string, view: ProxyView): unknown {
  const isOwn = (name: string) => name.includes(`${namespace}/`);
  const chains = resourcesOf(view, "outbound-listener").flatMap((listener) => listener.chains);
  return [
    view.resources.filter(({ kind, name }) => kind.startsWith("inbound") || isOwn(name)),
    chains.filter(({ name }) => isOwn(name)),
  ];
}
