/** A small mesh for tests: records in, views out, resources by kind and name. */
import {
  classOf,
  createMeshStore,
  type MeshRecord,
  type MeshSnapshot,
  type ProxyView,
  proxyView,
  type ResourceView,
} from "../../src/mesh/mod.ts";
import { put } from "./records.ts";

export function snapshotOf(...records: readonly MeshRecord[]): MeshSnapshot {
  const store = createMeshStore();
  store.apply(put(...records));
  return store.snapshot();
}

/** The view of a pod; fails when the pod is not in the mesh. */
export function viewOfPod(snapshot: MeshSnapshot, namespace: string, pod: string): ProxyView {
  const classKey = classOf(snapshot, namespace, pod);
  if (classKey === undefined) throw new Error(`pod ${namespace}/${pod} is not in the mesh`);
  return proxyView(snapshot, classKey);
}

export function resourcesOf<K extends ResourceView["kind"]>(
  view: ProxyView,
  kind: K,
): readonly Extract<ResourceView, { kind: K }>[] {
  return view.resources.filter((resource): resource is Extract<ResourceView, { kind: K }> => resource.kind === kind);
}

export function namesOf(view: ProxyView, kind: ResourceView["kind"]): readonly string[] {
  return resourcesOf(view, kind).map(({ name }) => name);
}
