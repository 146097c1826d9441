import { describe, expect, test } from "vitest";
import { namesOf, resourcesOf, snapshotOf, viewOfPod } from "../../test/support/mesh.ts";
import {
  endpointSlice,
  meshConfig,
  namespaceRecord,
  podRecord,
  put,
  servicePort,
  trafficSplit,
  workload,
} from "../../test/support/records.ts";
import { classOf, createMeshStore, decide, type MeshRecord, provenance, type ScopeEntry, viewChanges } from "./mod.ts";

const sql = [servicePort({ port: 3306, targetPort: 3306, protocol: "tcp-server-first" })];
const world: readonly MeshRecord[] = [
  namespaceRecord("depot"),
  ...workload("shop", "web", 1),
  ...workload("depot", "stock", 2),
  ...workload("depot", "blue", 3),
  ...workload("depot", "green", 4),
  ...workload("depot", "db", 5, { ports: sql }),
];
const closed = meshConfig({ isEgressEnabled: false });
const scoped = (...outboundScope: readonly ScopeEntry[]) => namespaceRecord("shop", { outboundScope });
const stock = { namespace: "depot", service: "stock" };
const web = { namespace: "shop", serviceAccount: "web" };
const snapshot = (...records: readonly MeshRecord[]) => snapshotOf(...world, closed, ...records);
const clusters = (...records: readonly MeshRecord[]) =>
  namesOf(viewOfPod(snapshot(...records), "shop", "web-1"), "upstream-cluster");

describe("a namespace with a scope", () => {
  test("sees itself and what it names, and others see it all", () => {
    expect(clusters(scoped())).toEqual(["shop/web|8080"]);
    expect(clusters(scoped(stock))).toEqual(["depot/stock|8080", "shop/web|8080"]);
    expect(clusters(scoped(stock, { namespace: "depot" }))).toHaveLength(5);
    expect(namesOf(viewOfPod(snapshot(scoped()), "depot", "stock-1"), "upstream-cluster")).toHaveLength(5);
  });

  test("gets the backends of a split that it names, but not their addresses", () => {
    const split = trafficSplit("depot", "split", "stock", { blue: 1, green: 1 });
    expect(clusters(scoped(stock), split)).toEqual([
      "depot/blue|8080",
      "depot/green|8080",
      "depot/stock|8080",
      "shop/web|8080",
    ]);
    const [listener] = resourcesOf(viewOfPod(snapshot(scoped(stock), split), "shop", "web-1"), "outbound-listener");
    expect(listener?.chains.map(({ name }) => name)).toEqual([
      "outbound_depot/stock_80_http",
      "outbound_shop/web_80_http",
    ]);
  });

  test("has its scope in permissive mode only", () => {
    const smi = meshConfig({ isPermissive: false, isEgressEnabled: false });
    expect(clusters(scoped(stock), smi)).toEqual([]);
  });

  test("is refused plain TCP outside at once, though egress lets other things pass", () => {
    const open = meshConfig({ isEgressEnabled: true });
    const [listener] = resourcesOf(viewOfPod(snapshot(scoped(stock), open), "shop", "web-1"), "outbound-listener");
    expect(listener?.refused).toEqual([{ port: 3306, addresses: ["10.96.0.5"] }]);
  });

  test("reaches pods without a sidecar outside its scope in plain text, where egress is on", () => {
    const { proxyUuid: _none, ...bare } = podRecord("depot", "bare", "bare", "10.244.9.9");
    const [service] = workload("depot", "bare", 9);
    const records = [scoped(stock), service, bare, endpointSlice(service, [bare])];
    const request = { source: web, destination: { address: "10.96.0.9", port: 80 } };
    expect(decide(snapshot(...records), request).outcome).toBe("refused");
    expect(decide(snapshot(...records, meshConfig({ isEgressEnabled: true })), request).outcome).toBe("passthrough");
  });

  test("is told by the evaluator and by provenance which Namespace decided", () => {
    const own = scoped(stock);
    const inside = decide(snapshot(own), { source: web, destination: { host: "stock.depot", port: 80 } });
    const outside = decide(snapshot(own), { source: web, destination: { host: "blue.depot", port: 80 } });
    expect([inside.outcome, outside.outcome]).toEqual(["allowed", "refused"]);
    expect(inside.objects).toContainEqual(own.ref);
    expect(outside.objects).toContainEqual(own.ref);
    const resource = { kind: "outbound-listener", name: "outbound-listener" } as const;
    const classKey = classOf(snapshot(own), "shop", "web-1") ?? "";
    expect(provenance(snapshot(own), classKey, resource)).toContainEqual(own.ref);
  });

  test("hears what it names in vain, until it is there", () => {
    const missing = scoped({ namespace: "depot", service: "sotck" }, { namespace: "far" }, stock);
    expect(
      snapshot(missing).rejections.map(({ reason, message }) => [reason, message.split(" in the mesh")[0]]),
    ).toEqual([
      ["scope-missing", 'There is no Service "depot/sotck"'],
      ["scope-missing", 'There is nothing of namespace "far"'],
    ]);
    expect(snapshot(missing, namespaceRecord("far"), ...workload("far", "x", 8)).rejections).toHaveLength(1);
  });
});

test("a change outside the scope of a namespace is none of its proxies' business", () => {
  const store = createMeshStore();
  store.apply(put(...world, closed, namespaceRecord("far"), scoped({ namespace: "far" })));
  const before = store.snapshot();
  store.apply(put(...workload("depot", "new", 7)));
  const { stages, parts } = viewChanges(before, store.snapshot());
  expect([...stages]).toEqual([]);
  expect([...parts].filter((key) => key.endsWith(" shop"))).toEqual([]);
  expect([...parts]).toContain("base ");
});
