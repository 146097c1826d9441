import type { Steps } from "../lib/mod.ts";
import { keepSameValues, sameElements } from "./content-equality.ts";
import { compareText } from "./precedence.ts";
import type { EndpointAddress, EndpointPort, EndpointsRecord, PodRecord, ServiceRecord } from "./records.ts";
import { type Selector, selectAgain, selectorsOf, selectPods } from "./selection.ts";
import { type NamespaceRecords, type RecordDifference, recordDifferences } from "./world.ts";

/** One endpoint of a Service as its EndpointSlices list it, and the pod behind it where there is one. */
export interface EndpointRow {
  readonly endpoint: EndpointAddress;
  readonly ports: readonly EndpointPort[];
  readonly pod?: PodRecord;
}

/**
 * Which pods and endpoints belong to which Service of one namespace, by Service name. Lists that are as before are the
 * same objects as before. Everything is looked up within the namespace alone.
 */
export interface Membership {
  readonly services: ReadonlyMap<string, ServiceRecord>;
  readonly pods: ReadonlyMap<string, PodRecord>;
  readonly slices: ReadonlyMap<string, EndpointsRecord>;
  readonly endpointsObjects: ReadonlyMap<string, EndpointsRecord>;
  readonly selectors: readonly Selector[];
  /** Pods that the selector selects, by name; none when there is no selector. */
  readonly selected: ReadonlyMap<string, readonly PodRecord[]>;
  /** The records that count as the endpoints of a Service, by name. */
  readonly listed: ReadonlyMap<string, readonly EndpointsRecord[]>;
  readonly rows: ReadonlyMap<string, readonly EndpointRow[]>;
  /** Another object whenever pods have come or gone, or say otherwise whose they are: their addresses tell nothing of that. */
  readonly roster: object;
}

/** Most of them are as before, which costs less than a step. */
const SERVICES_IN_A_STEP = 32;
/** What so few records changed is looked up; after more of them everything is put together anew. */
const FEW = 16;

/** The membership of a namespace, in steps. */
export function* membership(records: NamespaceRecords, previous?: Membership): Steps<Membership> {
  const { Service: services, Pod: pods, EndpointSlice: slices, Endpoints: endpointsObjects } = records;
  const moved = recordDifferences(previous?.pods, pods, FEW);
  const isSame = previous?.services === services;
  const selectors = isSame ? previous.selectors : selectorsOf(services);
  const selected =
    isSame && moved !== undefined
      ? selectAgain(selectors, previous.selected, moved)
      : keepSameValues(previous?.selected, yield* selectPods(selectors, pods), sameElements);
  yield;
  const listed = yield* listedRecords(slices, endpointsObjects, previous);
  const rows = yield* endpointRows(pods, listed, moved, previous);
  const roster = previous !== undefined && moved?.every(isSameOwner) === true ? previous.roster : {};
  return { services, pods, slices, endpointsObjects, selectors, selected, listed, rows, roster };
}

/** Whether whoever knows the pod by its proxy, account or class need not look again. */
function isSameOwner({ before, after }: RecordDifference<PodRecord>): boolean {
  return (
    before?.proxyUuid === after?.proxyUuid &&
    before?.serviceAccount === after?.serviceAccount &&
    before?.isScraped === after?.isScraped &&
    before?.createdAt === after?.createdAt
  );
}

/** A Service's EndpointSlices count; its Endpoints object only when it has none, as Kubernetes mirrors the one to the other. */
function* listedRecords(
  slices: ReadonlyMap<string, EndpointsRecord>,
  endpointsObjects: ReadonlyMap<string, EndpointsRecord>,
  previous: Membership | undefined,
): Steps<Membership["listed"]> {
  if (previous !== undefined && endpointsObjects === previous.endpointsObjects) {
    if (slices === previous.slices) return previous.listed;
    const moved = endpointsObjects.size === 0 ? recordDifferences(previous.slices, slices, FEW) : undefined;
    if (moved !== undefined) return listAgain(previous.listed, moved);
  }
  yield;
  return keepSameValues(previous?.listed, endpointsByService(slices, endpointsObjects), sameElements);
}

/** The lists of the Services whose slices these are, made anew. */
function listAgain(
  listed: Membership["listed"],
  moved: readonly RecordDifference<EndpointsRecord>[],
): Membership["listed"] {
  const next = new Map(listed);
  for (const { before, after } of moved) {
    for (const service of new Set([before?.service, after?.service])) {
      if (service === undefined) continue;
      const list = (next.get(service) ?? []).filter((record) => record !== before);
      if (after?.service === service) list.push(after);
      if (list.length === 0) next.delete(service);
      else next.set(service, list.sort(byName));
    }
  }
  return next;
}

function byName(left: EndpointsRecord, right: EndpointsRecord): number {
  return compareText(left.name, right.name);
}

function endpointsByService(
  slices: ReadonlyMap<string, EndpointsRecord>,
  endpointsObjects: ReadonlyMap<string, EndpointsRecord>,
): Map<string, readonly EndpointsRecord[]> {
  return new Map([...groupByService(endpointsObjects), ...groupByService(slices)]);
}

function* endpointRows(
  pods: ReadonlyMap<string, PodRecord>,
  listed: Membership["listed"],
  moved: readonly RecordDifference<PodRecord>[] | undefined,
  previous: Membership | undefined,
): Steps<Membership["rows"]> {
  if (previous !== undefined && moved?.length === 0 && previous.listed === listed) return previous.rows;
  let podAt: ReadonlyMap<string, PodRecord> | undefined;
  const podOf = (endpoint: EndpointAddress) => {
    if (endpoint.pod !== undefined) return pods.get(endpoint.pod);
    podAt ??= podByAddress(pods);
    return firstPod(endpoint, podAt);
  };
  const isTouched = touchesRow(moved ?? []);
  const keptRows = (service: string, records: readonly EndpointsRecord[]) => {
    if (moved === undefined || previous?.listed.get(service) !== records) return undefined;
    const known = previous.rows.get(service);
    return known?.some(isTouched) === true ? undefined : known;
  };
  const rows = new Map<string, readonly EndpointRow[]>();
  for (const [service, records] of listed) {
    if (rows.size % SERVICES_IN_A_STEP === 0) yield;
    rows.set(service, keptRows(service, records) ?? records.flatMap((record) => rowsOf(record, podOf)));
  }
  return keepSameValues(previous?.rows, rows, (left, right) => left === right || sameElements(left, right, isSameRow));
}

function isSameRow(left: EndpointRow, right: EndpointRow): boolean {
  return left.endpoint === right.endpoint && left.ports === right.ports && left.pod === right.pod;
}

/** Tells endpoints behind which there is one of these pods, or was, or may be now. */
function touchesRow(moved: readonly RecordDifference<PodRecord>[]): (row: EndpointRow) => boolean {
  const names = new Set<string>();
  const addresses = new Set<string>();
  for (const { before, after } of moved) {
    for (const pod of [before, after]) {
      if (pod === undefined) continue;
      names.add(pod.name);
      for (const address of pod.addresses) addresses.add(address);
    }
  }
  return ({ endpoint }) =>
    endpoint.pod === undefined ? endpoint.addresses.some((address) => addresses.has(address)) : names.has(endpoint.pod);
}

function rowsOf(
  record: EndpointsRecord,
  podOf: (endpoint: EndpointAddress) => PodRecord | undefined,
): readonly EndpointRow[] {
  return record.subsets.flatMap(({ ports, endpoints }) =>
    endpoints.map((endpoint) => {
      const pod = podOf(endpoint);
      return pod === undefined ? { endpoint, ports } : { endpoint, ports, pod };
    }),
  );
}

function groupByService(records: ReadonlyMap<string, EndpointsRecord>): Map<string, EndpointsRecord[]> {
  const grouped = new Map<string, EndpointsRecord[]>();
  for (const record of [...records.values()].sort(byName)) {
    const list = grouped.get(record.service);
    if (list === undefined) grouped.set(record.service, [record]);
    else list.push(record);
  }
  return grouped;
}

/** An address that a finished pod had may have gone to another one since, and a node's address says nothing about a pod. */
function podByAddress(pods: ReadonlyMap<string, PodRecord>): ReadonlyMap<string, PodRecord> {
  const found = new Map<string, PodRecord>();
  for (const pod of pods.values()) {
    if (pod.isTerminated || pod.isHostNetwork) continue;
    for (const address of pod.addresses) {
      const other = found.get(address);
      if (other === undefined || pod.name < other.name) found.set(address, pod);
    }
  }
  return found;
}

function firstPod(endpoint: EndpointAddress, podAt: ReadonlyMap<string, PodRecord>): PodRecord | undefined {
  for (const address of endpoint.addresses) {
    const pod = podAt.get(address);
    if (pod !== undefined) return pod;
  }
  return undefined;
}
