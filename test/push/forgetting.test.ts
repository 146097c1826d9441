import { expect, test } from "vitest";
import { classOf, findClass, partView } from "../../src/mesh/mod.ts";
import { collectGarbage } from "../support/garbage.ts";
import { skipOnDeno } from "../support/needs.ts";
import { peerOf, pushBench, quiet } from "../support/push-bench.ts";
import { endpointSlice, namespaceRecord, podRecord, put, remove, serviceRecord } from "../support/records.ts";

test("nothing is kept of a workload class that is gone", async (context) => {
  skipOnDeno(context, "collector that can be asked");
  const bench = pushBench();
  const [stays, goes] = ["stays", "goes"].map((name, n) => podRecord("shop", name, name, `10.0.0.${n + 1}`));
  if (stays === undefined || goes === undefined) throw new Error("no pods");
  const service = serviceRecord("shop", "goes", { clusterIps: ["10.96.0.1"] });
  bench.subscribe(peerOf(stays));
  const passing = bench.subscribe(peerOf(goes));
  bench.change(put(namespaceRecord("shop"), stays, goes, service, endpointSlice(service, [goes])));
  await quiet();
  const refs = (() => {
    const snapshot = bench.store.snapshot();
    const own = findClass(snapshot, classOf(snapshot, "shop", "goes") ?? "");
    if (own === undefined) throw new Error("the pod has no class");
    const table = passing.current();
    if (table === undefined) throw new Error("the proxy has no table");
    return { own: new WeakRef(own), views: new WeakRef(partView(snapshot, own, "inbound")), table: new WeakRef(table) };
  })();
  passing.close();
  bench.change([goes, service, endpointSlice(service, [goes])].map(remove));
  await quiet();
  await collectGarbage();
  expect(Object.entries(refs).flatMap(([name, ref]) => (ref.deref() === undefined ? [] : [name]))).toEqual([]);
});
