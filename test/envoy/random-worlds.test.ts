import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type MeshRecord, type ProxyView, proxyView } from "../../src/mesh/mod.ts";
import type { Resource } from "../../src/xds/resource.ts";
import { denseWorld } from "../support/dense-world.ts";
import { snapshotOf } from "../support/mesh.ts";
import { worldRecords } from "../support/random-world.ts";
import { type AdsMesh, type AdsProxy, startAdsMesh, unbound } from "./ads-mesh.ts";
import { describeWithEnvoy } from "./binary.ts";
import { leafMaker } from "./leaves.ts";

/** Fewer or more with `PROPERTY_RUNS`. */
const worlds = Number(process.env["PROPERTY_RUNS"] ?? 500);

/** The views of every workload of a world. */
function viewsOf(records: readonly MeshRecord[]): readonly ProxyView[] {
  const snapshot = snapshotOf(...records);
  return [...snapshot.namespaces.values()].flatMap(({ workloads }) =>
    [...workloads.classes.keys()].map((key) => proxyView(snapshot, key)),
  );
}

describeWithEnvoy("row 72: whatever the objects say", () => {
  let mesh: AdsMesh;
  let proxy: AdsProxy;
  let credentials: readonly Resource[];
  beforeAll(async () => {
    mesh = await startAdsMesh();
    proxy = await mesh.startProxy("workload");
    credentials = await (await leafMaker()).secretsOf({ namespace: "shop", serviceAccount: "a" });
  });
  afterAll(async () => await mesh?.stop());

  /** Secrets only where a view asks for them, so that each resource of the table is one that Envoy wants. */
  const publish = async (view: ProxyView) => {
    const isSecured = view.resources.some(({ kind }) => kind === "upstream-cluster" || kind === "inbound-listener");
    await proxy.publish([...unbound(view.resources), ...(isSecured ? credentials : [])]);
  };

  test(`Envoy accepts every resource of ${worlds} random worlds, one after the other`, {
    timeout: 300_000,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(worldRecords(), denseWorld()), async (records) => {
        for (const view of viewsOf(records)) {
          await publish(view);
          expect(proxy.refusals).toEqual([]);
        }
      }),
      { numRuns: worlds, endOnFailure: true },
    );
    expect(await proxy.stat("update_rejected$")).toBe(0);
    expect(await proxy.stat("update_success$")).toBeGreaterThan(worlds);
  });
});
