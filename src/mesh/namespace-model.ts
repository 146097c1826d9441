import type { Rejection, Steps } from "../lib/mod.ts";
import { type AccessPolicy, accessPolicy } from "./access-policy.ts";
import { keepElements, keepIfSame, sameElements } from "./content-equality.ts";
import { type Membership, membership } from "./membership.ts";
import { compareText } from "./precedence.ts";
import type { MeshRecord, ServiceRecord } from "./records.ts";
import { haveSameMembers } from "./service-members.ts";
import { type PortModel, type ServiceModel, serviceModel } from "./service-model.ts";
import { type SplitPolicy, splitPolicy } from "./split-policy.ts";
import { type WorkloadClasses, workloadClasses } from "./workload-class.ts";
import type { NamespaceRecords, RecordKind } from "./world.ts";

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
  /** What it was made from. */
  readonly records: NamespaceRecords;
  readonly namespaceNames: ReadonlyMap<string, MeshRecord>;
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

/** What is read beside the records of the namespace. */
export interface NamespaceContext {
  readonly clusterDomain: string;
  readonly namespaceNames: ReadonlyMap<string, MeshRecord>;
}

/** Whether the model is of these records; of equal ones it may be all the same. */
export function isModelOf(model: NamespaceModel, records: NamespaceRecords, context: NamespaceContext): boolean {
  return model.records === records && model.namespaceNames === context.namespaceNames;
}

/** The model of one namespace, in steps; the same object as before when none of its records changed, else made of what stayed the same. */
export function* namespaceModel(
  records: NamespaceRecords,
  namespace: string,
  context: NamespaceContext,
  previous?: NamespaceModel,
): Steps<NamespaceModel> {
  const { clusterDomain, namespaceNames } = context;
  const isSame =
    previous?.namespaceNames === namespaceNames &&
    INPUT_KINDS.every((kind) => previous.records[kind] === records[kind]);
  if (isSame) return previous;
  const members = yield* membership(records, previous?.membership);
  const services = yield* serviceModels(members, clusterDomain, previous);
  const ports = keepElements(
    previous?.ports,
    [...services.values()].flatMap((service) => service.ports),
  );
  yield;
  const splits = splitPolicy(
    records.TrafficSplit,
    { namespace, clusterDomain, namespaceNames, services, ports },
    previous?.splits,
  );
  yield;
  const routes = { groups: records.HTTPRouteGroup, tcpRoutes: records.TCPRoute };
  const access = accessPolicy(records.TrafficTarget, routes, previous?.access);
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
    records,
    namespaceNames,
  };
}

function* serviceModels(
  members: Membership,
  clusterDomain: string,
  previous: NamespaceModel | undefined,
): Steps<ReadonlyMap<string, ServiceModel>> {
  const models = new Map<string, ServiceModel>();
  let isSame = previous?.services.size === members.services.size;
  for (const service of servicesInOrder(members, previous)) {
    if (models.size % SERVICES_IN_A_STEP === 0) yield;
    const { name } = service;
    const before = previous?.services.get(name);
    const model = serviceModel(service, members.selected.get(name), members.rows.get(name), clusterDomain, before);
    isSame &&= model === before;
    models.set(name, model);
  }
  return isSame && previous !== undefined ? previous.services : models;
}

function servicesInOrder({ services }: Membership, previous: NamespaceModel | undefined): readonly ServiceRecord[] {
  if (previous?.membership.services === services) return [...previous.services.values()].map(({ record }) => record);
  return [...services.values()].sort((left, right) => compareText(left.name, right.name));
}

/** Readiness and addresses are no part of a class, so that endpoint churn costs nothing here. */
function* classesOf(
  members: Membership,
  services: ReadonlyMap<string, ServiceModel>,
  previous: NamespaceModel | undefined,
): Steps<WorkloadClasses> {
  const isSame =
    previous?.membership.roster === members.roster &&
    (previous.services === services ||
      sameElements([...previous.services.values()], [...services.values()], haveSameInbound));
  return isSame ? previous.workloads : yield* workloadClasses(members, services, previous?.workloads);
}

function haveSameInbound(left: ServiceModel, right: ServiceModel): boolean {
  return left.record === right.record && left.ports === right.ports && haveSameMembers(left.members, right.members);
}
