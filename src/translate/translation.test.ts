import { describe, expect, test } from "vitest";
import type { KubeObject, ObjectEvent } from "../kube/objects.ts";
import type { RecordChange } from "../mesh/mod.ts";
import { createTranslation } from "./mod.ts";

const OPTIONS = { meshName: "osm", osmNamespace: "osm-system" };

function split(name: string, weights: readonly number[] = [1], apiVersion = "split.smi-spec.io/v1alpha2"): KubeObject {
  const backends = weights.map((weight, position) => ({ service: `v${position}`, weight }));
  return {
    apiVersion,
    kind: "TrafficSplit",
    metadata: { name, namespace: "shop" },
    spec: { service: "web", backends },
  };
}

function apply(object: KubeObject, source = "folder"): ObjectEvent {
  return { type: "apply", source, object };
}

function remove(name: string, source = "folder", apiVersion?: string): ObjectEvent {
  const key = { kind: "TrafficSplit", namespace: "shop", name };
  return { type: "delete", source, ...key, ...(apiVersion === undefined ? {} : { apiVersion }) };
}

describe("objects become records", () => {
  test("an object is put, and removed when it goes", () => {
    const translation = createTranslation(OPTIONS);
    expect(translation.apply([apply(split("a"))])).toMatchObject([{ type: "put", record: { name: "a" } }]);
    expect(translation.apply([remove("a")])).toEqual([
      { type: "remove", kind: "TrafficSplit", namespace: "shop", name: "a" },
    ]);
    expect(translation.apply([remove("a")])).toEqual([]);
  });

  test("an edit that breaks an object takes its record away, and the report goes with its cause", () => {
    const translation = createTranslation(OPTIONS);
    translation.apply([apply(split("a"))]);
    expect(translation.apply([apply(split("a", [0]))])).toMatchObject([{ type: "remove", name: "a" }]);
    expect(translation.rejections()).toMatchObject([{ name: "a", reason: "weights-zero", field: "spec.backends" }]);
    expect(translation.apply([apply(split("a", [2]))])).toMatchObject([{ type: "put" }]);
    expect(translation.rejections()).toEqual([]);
  });

  test("an edit that breaks the MeshConfig does not open the mesh: the last valid settings stay until it is gone", () => {
    const translation = createTranslation(OPTIONS);
    const meshConfig = (enablePermissiveTrafficPolicyMode: unknown): KubeObject => ({
      apiVersion: "config.openservicemesh.io/v1alpha2",
      kind: "MeshConfig",
      metadata: { name: "osm-mesh-config", namespace: "osm-system" },
      spec: { traffic: { enablePermissiveTrafficPolicyMode } },
    });
    const strict = { type: "put", record: { settings: { isPermissive: false } } };
    expect(translation.apply([apply(meshConfig(false))])).toMatchObject([strict]);
    expect(translation.apply([apply(meshConfig("nope"))])).toMatchObject([strict]);
    expect(translation.rejections()).toMatchObject([{ kind: "MeshConfig", strength: "object" }]);
    expect(translation.apply([{ type: "reset", source: "folder", objects: [] }])).toMatchObject([{ type: "remove" }]);
  });

  test("one batch says at most one thing about a record", () => {
    const translation = createTranslation(OPTIONS);
    expect(translation.apply([apply(split("a")), remove("a"), apply(split("a", [7]))])).toMatchObject([
      { type: "put", record: { backends: [{ weight: 7 }] } },
    ]);
    expect(translation.apply([apply(split("b")), remove("b")])).toEqual([]);
  });

  test("a version that is not served is reported with the one to use", () => {
    const translation = createTranslation(OPTIONS);
    expect(translation.apply([apply(split("a", [1], "split.smi-spec.io/v1alpha1"))])).toEqual([]);
    expect(translation.rejections()).toMatchObject([
      {
        reason: "version-not-served",
        field: "apiVersion",
        message: expect.stringContaining("split.smi-spec.io/v1alpha2"),
      },
    ]);
  });

  test("a version without its group is reported, and does not touch the object that is spelt right", () => {
    const translation = createTranslation(OPTIONS);
    translation.apply([apply(split("a")), apply(split("a", [1], "v1alpha2"))]);
    expect(translation.rejections()).toMatchObject([{ reason: "version-not-served" }]);
    expect(translation.apply([remove("a", "folder", "v1alpha2")])).toEqual([]);
    expect(translation.rejections()).toEqual([]);
  });
});

describe("kinds that mean nothing to the mesh", () => {
  const other = (apiVersion: string, kind: string, name = "web"): KubeObject => ({
    apiVersion,
    kind,
    metadata: { name, namespace: "shop" },
    spec: {},
  });

  test("they are counted while they are there; workloads are not among them", () => {
    const translation = createTranslation(OPTIONS);
    translation.apply([
      apply(other("v1", "ConfigMap")),
      apply(other("v1", "ConfigMap", "second")),
      apply(other("apps/v1", "Deployment")),
      apply(other("gateway.networking.k8s.io/v1alpha2", "TCPRoute")),
    ]);
    expect([...translation.ignoredKinds()]).toEqual([
      ["ConfigMap", 2],
      ["TCPRoute", 1],
    ]);
    translation.apply([{ type: "delete", source: "folder", kind: "ConfigMap", namespace: "shop", name: "web" }]);
    expect(translation.rejections()).toEqual([]);
  });

  test("a kind of the same name in another API group does not touch the mesh's object", () => {
    const translation = createTranslation(OPTIONS);
    const service = { ...other("v1", "Service"), spec: { ports: [{ port: 80 }] } };
    const foreign = other("serving.knative.dev/v1", "Service");
    expect(translation.apply([apply(service), apply(foreign)])).toHaveLength(1);
    const gone = { kind: "Service", namespace: "shop", name: "web", apiVersion: "serving.knative.dev/v1" };
    expect(translation.apply([{ type: "delete", source: "folder", ...gone }])).toEqual([]);
  });
});

describe("several sources", () => {
  test("a reset replaces what its own source said and nothing of another", () => {
    const translation = createTranslation(OPTIONS);
    translation.apply([apply(split("a")), apply(split("b"), "node")]);
    const changes = translation.apply([{ type: "reset", source: "folder", objects: [{ object: split("c") }] }]);
    expect(changes).toMatchObject([
      { type: "put", record: { name: "c" } },
      { type: "remove", name: "a" },
    ]);
  });

  test.each([[["folder", "node"]], [["node", "folder"]]])(
    "of two with one object the same one stands whoever speaks first (%j); the other is reported and takes over",
    (order) => {
      const translation = createTranslation(OPTIONS);
      const weights: Record<string, number[]> = { folder: [1], node: [2] };
      let last: readonly RecordChange[] = [];
      for (const source of order) last = translation.apply([apply(split("a", weights[source]), source)]);
      expect(last).toMatchObject([{ type: "put", record: { backends: [{ weight: 1 }] } }]);
      expect(translation.rejections()).toMatchObject([{ reason: "duplicate-object", strength: "object", name: "a" }]);
      expect(translation.apply([remove("a", "folder")])).toMatchObject([
        { type: "put", record: { backends: [{ weight: 2 }] } },
      ]);
      expect(translation.rejections()).toEqual([]);
    },
  );
});
