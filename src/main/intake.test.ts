import { expect, test } from "vitest";
import type { KubeObject, ObjectEvent } from "../kube/objects.ts";
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
const apply = (object: KubeObject): ObjectEvent => ({ type: "apply", source: "folder", object });
const reset = (source: string, ...objects: readonly KubeObject[]): ObjectEvent => ({
  type: "reset",
  source,
  objects: objects.map((object) => ({ object })),
});

function heard() {
  const snapshots: MeshSnapshot[] = [];
  const onChange = (snapshot: MeshSnapshot) => void snapshots.push(snapshot);
  return { snapshots, intake: createIntake({ mesh, sources: ["folder", "node"], onChange }) };
}

test("nobody hears of a world in which a source has not said all that it knows", () => {
  const { snapshots, intake } = heard();
  intake.accept([reset("folder", namespace("shop"))]);
  intake.accept([apply(namespace("depot"))]);
  expect([snapshots.length, intake.missing()]).toEqual([0, ["node"]]);
  intake.accept([reset("node")]);
  expect(snapshots.map((snapshot) => ["shop", "depot", "far"].filter((name) => isMeshed(snapshot, name)))).toEqual([
    ["shop", "depot"],
  ]);
});

test("an object that is said again, or a source that starts over, tells nobody anything", () => {
  const { snapshots, intake } = heard();
  intake.accept([reset("folder", namespace("shop")), reset("node")]);
  intake.accept([apply(namespace("shop"))]);
  intake.accept([reset("folder", namespace("shop"))]);
  expect(snapshots).toHaveLength(1);
});
