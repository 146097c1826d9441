import type { KubeObject, ObjectOrigin } from "../kube/objects.ts";
import type { MeshRecord } from "../mesh/mod.ts";
import { translateEndpointSlice } from "./endpoint-slice.ts";
import { translateEndpoints } from "./endpoints.ts";
import { translateHttpRouteGroup } from "./http-route-group.ts";
import { translateMeshConfig } from "./mesh-config.ts";
import { translateNamespace } from "./namespace.ts";
import type { Translated } from "./object-names.ts";
import { translatePod } from "./pod.ts";
import { translateService } from "./service.ts";
import { translateServiceAccount } from "./service-account.ts";
import { translateTcpRoute } from "./tcp-route.ts";
import { translateTrafficSplit } from "./traffic-split.ts";
import { translateTrafficTarget } from "./traffic-target.ts";

/** A kind of object that becomes a record. */
export interface KnownKind {
  readonly kind: MeshRecord["kind"];
  /** API group; empty for the core group. */
  readonly group: string;
  /** Newest last. */
  readonly versions: readonly string[];
  readonly translate: (object: KubeObject, origin: ObjectOrigin | undefined, osmNamespace: string) => Translated;
}

/** Every kind that becomes a record, with the versions that OSM v1.2.4 serves. */
export const KNOWN_KINDS: readonly KnownKind[] = [
  { kind: "Namespace", group: "", versions: ["v1"], translate: translateNamespace },
  { kind: "ServiceAccount", group: "", versions: ["v1"], translate: translateServiceAccount },
  { kind: "Service", group: "", versions: ["v1"], translate: translateService },
  { kind: "Endpoints", group: "", versions: ["v1"], translate: translateEndpoints },
  { kind: "EndpointSlice", group: "discovery.k8s.io", versions: ["v1"], translate: translateEndpointSlice },
  { kind: "Pod", group: "", versions: ["v1"], translate: translatePod },
  { kind: "TrafficTarget", group: "access.smi-spec.io", versions: ["v1alpha3"], translate: translateTrafficTarget },
  { kind: "HTTPRouteGroup", group: "specs.smi-spec.io", versions: ["v1alpha4"], translate: translateHttpRouteGroup },
  { kind: "TCPRoute", group: "specs.smi-spec.io", versions: ["v1alpha4"], translate: translateTcpRoute },
  {
    kind: "TrafficSplit",
    group: "split.smi-spec.io",
    versions: ["v1alpha4", "v1alpha2"],
    translate: translateTrafficSplit,
  },
  {
    kind: "MeshConfig",
    group: "config.openservicemesh.io",
    versions: ["v1alpha1", "v1alpha2"],
    translate: translateMeshConfig,
  },
];

/** Workloads: the mesh sees their pods, not them. */
const EXPANDED_KINDS: ReadonlyMap<string, readonly string[]> = new Map([
  ["apps", ["Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"]],
  ["batch", ["Job"]],
]);

/** The parts of an `apiVersion`: the group is empty for the core group. */
export function splitApiVersion(apiVersion: string): { readonly group: string; readonly version: string } {
  const slash = apiVersion.indexOf("/");
  return { group: apiVersion.slice(0, Math.max(0, slash)), version: apiVersion.slice(slash + 1) };
}

/** What the translation does with objects of a group and kind. */
export type KindRole = KnownKind | "workload" | "ignored";

export function roleOf(group: string, kind: string): KindRole {
  const known = KNOWN_KINDS.find((candidate) => candidate.kind === kind);
  // A version without its group, such as `v1alpha4` for a TCPRoute, is a slip of the pen; another group is another kind.
  if (known !== undefined && (known.group === group || group === "")) return known;
  return EXPANDED_KINDS.get(group)?.includes(kind) === true ? "workload" : "ignored";
}
