import type { Rejection, Steps } from "../lib/mod.ts";
import { type AccessPolicy, accessPolicy } from "./access-policy.ts";
import { keepElements, keepIfSame, sameElements } from "./content-equality.ts";
import { type Membership, membership } from "./membership.ts";
import { compareText } from "./precedence.ts";
import type { MeshRecord } from "./records.ts";
import { type PortModel, type ServiceModel, serviceModel } from "./service-model.ts";
import { type SplitPolicy, splitPolicy } from "./split-policy.ts";
import { type WorkloadClasses, workloadClasses } from "./workload-class.ts";
import { type RecordKind, recordsOf, type World } from "./world.ts";

/**
 * Everything that the records of one namespace of the mesh say, resolved. No other namespace's objects are read, apart
 * from the list of namespaces.
 */
export interface NamespaceModel {
  readonly namespace: string;
  readonly membership: Membership;
  /** By name, in order. */
  readonly services: ReadonlyMap<string, ServiceModel>;
  /** Of all Services, in their order; the same list while none differs. */
  readonly ports: readonly PortModel[];
  /** What the Services' claims to addresses depend on: each record and its ports. The same list while none differs. */
  readonly claiming: readonly unknown[];
  readonly hasHeadless: boolean;
  readonly splits: SplitPolicy;
  readonly access: AccessPolicy;
  readonly workloads: WorkloadClasses;
  readonly rejections: readonly Rejection[];
  /** The groups of records that it was made from. */
  readonly inputs: readonly unknown[];
}

const INPUT_KINDS = [
  "Service",
  "EndpointSlice",
  "Endpoints",
  "Pod",
  "TrafficTarget",
  "HTTPRouteGroup",
  "TCPRoute",
  "TrafficSplit",
] as const satisfies readonly RecordKind[];

/** A step through several rooms costs as much as a Service that is as before. */
const SERVICES_IN_A_STEP = 32;

/** The model of one namespace, in steps; the same object as before when none of its records changed, else made of what stayed the same. */
export function* namespaceModel(
  world: World,
  namespace: string,
  options: { readonly clusterDomain: string; readonly namespaceNames: ReadonlyMap<string, MeshRecord> },
  previous?: NamespaceModel,
): Steps<NamespaceModel> {
  const inputs = [options.namespaceNames, ...INPUT_KINDS.map((kind) => recordsOf(world, kind, namespace))];
  if (previous !== undefined && sameElements(previous.inputs, inputs)) return previous;
  const members = yield* membership(world, namespace, previous?.membership);
  const services = yield* serviceModels(members, options.clusterDomain, previous?.services);
  const ports = keepElements(
    previous?.ports,
    [...services.values()].flatMap((service) => service.ports),
  );
  yield;
  const splits = splitPolicy(
    recordsOf(world, "TrafficSplit", namespace),
    { namespace, clusterDomain: options.clusterDomain, namespaceNames: options.namespaceNames, services, ports },
    previous?.splits,
  );
  yield;
  const routes = {
    groups: recordsOf(world, "HTTPRouteGroup", namespace),
    tcpRoutes: recordsOf(world, "TCPRoute", namespace),
  };
  const access = accessPolicy(recordsOf(world, "TrafficTarget", namespace), routes, previous?.access);
  yield;
  const rejections = [
    ...[...services.values()].flatMap((model) => model.rejections),
    ...splits.rejections,
    ...access.rejections,
  ];
  yield;
  const workloads = yield* classesOf(members, services, previous);
  return {
    namespace,
    membership: members,
    services,
    ports,
    claiming: keepElements(
      previous?.claiming,
      [...services.values()].flatMap((service) => [service.record, service.ports]),
    ),
    hasHeadless: ports === previous?.ports ? previous.hasHeadless : ports.some((port) => port.isHeadless),
    splits,
    access,
    workloads,
    rejections: keepIfSame(previous?.rejections, rejections),
    inputs,
  };
}

function* serviceModels(
  members: Membership,
  clusterDomain: string,
  previous: ReadonlyMap<string, ServiceModel> | undefined,
): Steps<ReadonlyMap<string, ServiceModel>> {
  const models = new Map<string, ServiceModel>();
  let isSame = previous?.size === members.services.size;
  for (const service of [...members.services.values()].sort((left, right) => compareText(left.name, right.name))) {
    if (models.size % SERVICES_IN_A_STEP === 0) yield;
    const { name } = service;
    const before = previous?.get(name);
    const model = serviceModel(service, members.selected.get(name), members.rows.get(name), clusterDomain, before);
    isSame &&= model === before;
    models.set(name, model);
  }
  return isSame && previous !== undefined ? previous : models;
}

/** Readiness is no part of a class, so that endpoint churn costs nothing here. */
function* classesOf(
  members: Membership,
  services: ReadonlyMap<string, ServiceModel>,
  previous: NamespaceModel | undefined,
): Steps<WorkloadClasses> {
  const isSame =
    previous !== undefined &&
    previous.membership.pods === members.pods &&
    sameElements(
      [...previous.services.values()],
      [...services.values()],
      (left, right) => left.record === right.record && left.members === right.members && left.ports === right.ports,
    );
  return isSame ? previous.workloads : yield* workloadClasses(members, services, previous?.workloads);
}
