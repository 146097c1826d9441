import { type ObjectRef, objectKey } from "../lib/mod.ts";
import type { AccessGrant } from "./access-policy.ts";
import type { ChainGroup } from "./chain-groups.ts";
import { MESH_CONFIG_NAME } from "./default-settings.ts";
import { inboundHosts } from "./inbound-view.ts";
import { visibleGroups } from "./outbound-ports.ts";
import { scopeRefs } from "./outbound-scope.ts";
import { compareText } from "./precedence.ts";
import { inboundRouteName, outboundRouteName } from "./resource-names.ts";
import type { PortModel } from "./service-model.ts";
import { findClass, type MeshSnapshot } from "./snapshot.ts";
import type { Identity, ResourceView } from "./view.ts";
import { grantsFrom, grantsTo, opensPort, splitOf, visiblePorts } from "./visible-services.ts";
import type { WorkloadClass } from "./workload-class.ts";
import { type RecordKind, recordsOf } from "./world.ts";

/** One resource of a view. */
export interface ViewedResource {
  readonly kind: ResourceView["kind"];
  readonly name: string;
}

/**
 * The objects that a resource of this class's view was made from, sorted; empty when it is not in the view. Worked out
 * when somebody asks, never on the way to a proxy.
 */
export function provenance(snapshot: MeshSnapshot, classKey: string, resource: ViewedResource): readonly ObjectRef[] {
  const workload = findClass(snapshot, classKey);
  if (workload === undefined) return [];
  const refs = new Map(objectsOf(snapshot, workload, resource).map((ref) => [objectKey(ref), ref]));
  return [...refs].sort(([left], [right]) => compareText(left, right)).map(([, ref]) => ref);
}

function objectsOf(
  snapshot: MeshSnapshot,
  workload: WorkloadClass,
  { kind, name }: ViewedResource,
): readonly ObjectRef[] {
  switch (kind) {
    case "upstream-cluster":
      return [
        ...settingsRefs(snapshot),
        ...portsOfCluster(snapshot, name).flatMap((port) => serviceRefs(snapshot, port)),
      ];
    case "endpoints":
      return portsOfCluster(snapshot, name).flatMap((port) => endpointsRefs(snapshot, workload, port));
    case "outbound-listener":
      return [
        ...settingsRefs(snapshot),
        ...scopeRefs(snapshot, workload.namespace),
        ...groupsOf(snapshot, workload).flatMap((group) => groupRefs(snapshot, workload, group)),
      ];
    case "outbound-route":
      return groupsOf(snapshot, workload)
        .filter((group) => outboundRouteName(group.label, group.port) === name)
        .flatMap((group) => groupRefs(snapshot, workload, group));
    case "inbound-listener":
      return [
        ...settingsRefs(snapshot),
        ...ownServiceRefs(snapshot, workload),
        ...inboundAccessRefs(snapshot, workload, "tcp"),
      ];
    case "inbound-route":
      return inboundRouteRefs(snapshot, workload, name);
    case "local-cluster":
      return ownServiceRefs(snapshot, workload);
    case "passthrough-cluster":
      return settingsRefs(snapshot);
    case "metrics-listener":
    case "metrics-cluster":
      return podRefs(snapshot, workload);
  }
}

/** The reference of a stored record, if it is there. */
export function refOf(snapshot: MeshSnapshot, kind: RecordKind, namespace: string, name: string): readonly ObjectRef[] {
  const record = recordsOf(snapshot.world, kind, namespace).get(name);
  return record === undefined ? [] : [record.ref];
}

export function settingsRefs(snapshot: MeshSnapshot): readonly ObjectRef[] {
  return refOf(snapshot, "MeshConfig", snapshot.options.osmNamespace, MESH_CONFIG_NAME);
}

export function serviceRefs(
  snapshot: MeshSnapshot,
  port: Pick<PortModel, "namespace" | "service">,
): readonly ObjectRef[] {
  return refOf(snapshot, "Service", port.namespace, port.service);
}

/** The TrafficSplit of a port and the Services that it leads to. */
export function splitRefs(snapshot: MeshSnapshot, port: PortModel): readonly ObjectRef[] {
  const split = splitOf(snapshot, port);
  if (split === undefined) return [];
  const name = split.split.slice(port.namespace.length + 1);
  return [
    ...refOf(snapshot, "TrafficSplit", port.namespace, name),
    ...split.backends.flatMap((service) => serviceRefs(snapshot, { namespace: port.namespace, service })),
  ];
}

/** The TrafficTarget behind a grant and the route objects that it names. */
export function grantRefs(snapshot: MeshSnapshot, grant: AccessGrant): readonly ObjectRef[] {
  const target = recordsOf(snapshot.world, "TrafficTarget", grant.namespace).get(grant.name);
  if (target === undefined) return [];
  return [target.ref, ...target.rules.flatMap((rule) => refOf(snapshot, rule.kind, grant.namespace, rule.name))];
}

function portsOfCluster(snapshot: MeshSnapshot, cluster: string): readonly PortModel[] {
  return snapshot.structure.ports.filter((port) => port.cluster === cluster);
}

function endpointsRefs(snapshot: MeshSnapshot, identity: Identity, port: PortModel): readonly ObjectRef[] {
  const { membership } = snapshot.namespaces.get(port.namespace) ?? {};
  const slices = [...(membership?.slices.values() ?? []), ...(membership?.endpointsObjects.values() ?? [])];
  return [
    ...serviceRefs(snapshot, port),
    ...slices.filter(({ service }) => service === port.service).map(({ ref }) => ref),
    ...accessRefs(snapshot, identity, port),
  ];
}

/** What makes a port visible to a client: its grants, or in permissive mode the scope of the client's namespace, if it has one. */
export function accessRefs(snapshot: MeshSnapshot, identity: Identity, port: PortModel): readonly ObjectRef[] {
  if (snapshot.settings.isPermissive) return scopeRefs(snapshot, identity.namespace);
  return grantsFrom(snapshot, identity)
    .filter((grant) => grant.namespace === port.namespace && port.accounts.includes(grant.destination))
    .filter((grant) => opensPort(grant, port))
    .flatMap((grant) => grantRefs(snapshot, grant));
}

/** The outbound filter chains of a client. */
export function groupsOf(snapshot: MeshSnapshot, identity: Identity): readonly ChainGroup[] {
  return visibleGroups(snapshot, visiblePorts(snapshot, identity));
}

function groupRefs(snapshot: MeshSnapshot, identity: Identity, group: ChainGroup): readonly ObjectRef[] {
  return group.claimants.flatMap((port) => [
    ...serviceRefs(snapshot, port),
    ...splitRefs(snapshot, port),
    ...accessRefs(snapshot, identity, port),
  ]);
}

function ownServiceRefs(snapshot: MeshSnapshot, workload: WorkloadClass): readonly ObjectRef[] {
  const { namespace } = workload;
  return workload.inbound.flatMap(({ service }) => serviceRefs(snapshot, { namespace, service }));
}

/** Rules for plain TCP are in the listener, rules for requests in its routes. */
function inboundAccessRefs(
  snapshot: MeshSnapshot,
  workload: WorkloadClass,
  layer: "http" | "tcp",
): readonly ObjectRef[] {
  if (snapshot.settings.isPermissive) return [];
  return grantsTo(snapshot, workload)
    .filter((grant) => grant[layer] !== undefined)
    .flatMap((grant) => grantRefs(snapshot, grant));
}

function inboundRouteRefs(snapshot: MeshSnapshot, workload: WorkloadClass, name: string): readonly ObjectRef[] {
  const targetPorts = new Set(workload.inbound.map(({ targetPort }) => targetPort));
  const hosts = [...targetPorts]
    .filter((targetPort) => inboundRouteName(targetPort) === name)
    .flatMap((targetPort) => inboundHosts(snapshot, workload, targetPort));
  const splits = [...(snapshot.namespaces.get(workload.namespace)?.splits.byApex.values() ?? [])]
    .filter(({ backends }) => workload.inbound.some(({ service }) => backends.includes(service)))
    .map(({ split }) => split.slice(workload.namespace.length + 1));
  return [
    ...hosts.flatMap(({ parts }) => serviceRefs(snapshot, parts)),
    ...splits.flatMap((split) => refOf(snapshot, "TrafficSplit", workload.namespace, split)),
    ...inboundAccessRefs(snapshot, workload, "http"),
  ];
}

function podRefs(snapshot: MeshSnapshot, workload: WorkloadClass): readonly ObjectRef[] {
  const model = snapshot.namespaces.get(workload.namespace);
  return [...(model?.workloads.classByPod ?? [])]
    .filter(([, key]) => key === workload.key)
    .flatMap(([pod]) => refOf(snapshot, "Pod", workload.namespace, pod));
}
