import fc from "fast-check";
import { expect, test } from "vitest";
import type { KubeObject, ObjectEvent } from "../kube/objects.ts";
import { type Clock, manualClock } from "../lib/mod.ts";
import { isMeshed, type MeshSnapshot } from "../mesh/mod.ts";
import { createIntake } from "./intake.ts";

const mesh = {
  meshName: "osm",
  osmNamespace: "osm-system",
  trustDomain: "cluster.local",
  clusterDomain: "cluster.local",
};

const namespace = (name: string): KubeObject => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name, labels: { "openservicemesh.io/monitored-by": "osm" } },
});
const service = (ns: string, name: string, port: number): KubeObject => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace: ns },
  spec: { clusterIP: "10.0.0.1", ports: [{ port }] },
});
const apply = (object: KubeObject): ObjectEvent => ({ type: "apply", source: "folder", object });
const reset = (source: string, ...objects: readonly KubeObject[]): ObjectEvent => ({
  type: "reset",
  source,
  objects: objects.map((object) => ({ object })),
});

/** A clock by which every step takes longer than a slice. */
function slowClock(): Clock {
  const clock = manualClock();
  return {
    ...clock,
    monotonic() {
      clock.advance(1000);
      return clock.monotonic();
    },
  };
}

function heard(clock: Clock = manualClock()) {
  const snapshots: MeshSnapshot[] = [];
  const onChange = (snapshot: MeshSnapshot) => void snapshots.push(snapshot);
  return { snapshots, intake: createIntake({ mesh, clock, sources: ["folder", "node"], onChange }) };
}

test("nobody hears of a world in which a source has not said all that it knows", () => {
  const { snapshots, intake } = heard();
  void intake.accept([reset("folder", namespace("shop"))]);
  void intake.accept([apply(namespace("depot"))]);
  expect([snapshots.length, intake.missing()]).toEqual([0, ["node"]]);
  void intake.accept([reset("node")]);
  expect(snapshots.map((snapshot) => ["shop", "depot", "far"].filter((name) => isMeshed(snapshot, name)))).toEqual([
    ["shop", "depot"],
  ]);
});

test("an object that is said again, or a source that starts over, tells nobody anything", () => {
  const { snapshots, intake } = heard();
  void intake.accept([reset("folder", namespace("shop")), reset("node")]);
  void intake.accept([apply(namespace("shop"))]);
  void intake.accept([reset("folder", namespace("shop"))]);
  expect(snapshots).toHaveLength(1);
});

const named = (snapshot: MeshSnapshot) => ["depot", "far", "shop"].filter((name) => isMeshed(snapshot, name));

test("a big batch is seen whole or not at all, and what comes meanwhile comes after it", async () => {
  const { snapshots, intake } = heard(slowClock());
  const first = intake.accept([reset("folder", namespace("shop"), namespace("depot")), reset("node")]);
  const second = intake.accept([reset("folder", namespace("shop"), namespace("far"))]);
  expect([snapshots.length, intake.missing(), named(intake.snapshot())]).toEqual([0, ["folder", "node"], []]);
  await first;
  const seen = named(intake.snapshot());
  await second;
  expect([seen, intake.isBusy()]).toEqual([["depot", "shop"], false]);
  expect(snapshots.map(named)).toEqual([
    ["depot", "shop"],
    ["far", "shop"],
  ]);
});

test("nobody hears of a batch after the stop that came in the middle of it", async () => {
  const { snapshots, intake } = heard(slowClock());
  const batches = [[reset("folder", namespace("shop")), reset("node")], [apply(namespace("far"))]];
  const taken = batches.map((batch) => intake.accept(batch));
  intake.stop();
  await Promise.all(taken);
  expect(snapshots).toEqual([]);
});

test("taken in slices or at once, the same batches tell the same worlds", async () => {
  const name = fc.constantFrom("a", "b", "c");
  const object = fc.oneof(
    name.map(namespace),
    fc
      .record({ name, ns: name, port: fc.integer({ min: 1, max: 3 }) })
      .map((one) => service(one.ns, one.name, one.port)),
  );
  const event = fc.oneof(
    object.map(apply),
    fc
      .record({ source: fc.constantFrom("folder", "node"), objects: fc.array(object, { maxLength: 6 }) })
      .map((all) => reset(all.source, ...all.objects)),
    fc.record({ ns: name, name }).map(
      (one): ObjectEvent => ({
        type: "delete",
        source: "folder",
        apiVersion: "v1",
        kind: "Service",
        namespace: one.ns,
        name: one.name,
      }),
    ),
  );
  const told = ({ snapshots, intake }: ReturnType<typeof heard>) => ({
    rejections: intake.rejections(),
    worlds: snapshots.map(({ world, rejections, generation }) => ({ world, rejections, generation })),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(event, { maxLength: 4 }), { maxLength: 6 }), async (batches) => {
      const [atOnce, inSlices] = [heard(), heard(slowClock())];
      for (const batch of batches) void atOnce.intake.accept(batch);
      await Promise.all(batches.map((batch) => inSlices.intake.accept(batch)));
      expect(told(inSlices)).toEqual(told(atOnce));
    }),
    { numRuns: 60 },
  );
});
