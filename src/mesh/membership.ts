import type { Steps } from "../lib/mod.ts";
import { keepSameValues, sameElements } from "./content-equality.ts";
import { compareText } from "./precedence.ts";
import type { EndpointAddress, EndpointPort, EndpointsRecord, PodRecord, ServiceRecord } from "./records.ts";
import { recordsOf, type World } from "./world.ts";

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
  /** Pods that the selector selects, by name; none when there is no selector. */
  readonly selected: ReadonlyMap<string, readonly PodRecord[]>;
  /** The records that count as the endpoints of a Service, by name. */
  readonly listed: ReadonlyMap<string, readonly EndpointsRecord[]>;
  readonly rows: ReadonlyMap<string, readonly EndpointRow[]>;
}

/** Most of them are as before, which costs less than a step. */
const SERVICES_IN_A_STEP = 32;

/** The membership of a namespace, in steps. */
export function* membership(world: World, namespace: string, previous?: Membership): Steps<Membership> {
  const services = recordsOf(world, "Service", namespace);
  const pods = recordsOf(world, "Pod", namespace);
  const slices = recordsOf(world, "EndpointSlice", namespace);
  const endpointsObjects = recordsOf(world, "Endpoints", namespace);
  const isSelectionSame = previous?.services === services && previous.pods === pods;
  const areRowsSame =
    previous?.pods === pods && previous.slices === slices && previous.endpointsObjects === endpointsObjects;
  const selected = isSelectionSame
    ? previous.selected
    : keepSameValues(previous?.selected, yield* selectPods(services, pods), sameElements);
  yield;
  if (areRowsSame) return { ...previous, services, selected };
  const listed = keepSameValues(previous?.listed, endpointsByService(slices, endpointsObjects), sameElements);
  yield;
  const isKept = (service: string) => previous?.pods === pods && previous.listed.get(service) === listed.get(service);
  const known = (service: string) => (isKept(service) ? previous?.rows.get(service) : undefined);
  const rows = keepSameValues(
    previous?.rows,
    yield* endpointRows(pods, listed, known),
    (left, right) => left === right || sameElements(left, right, isSameRow),
  );
  return { services, pods, slices, endpointsObjects, listed, selected, rows };
}

function isSameRow(left: EndpointRow, right: EndpointRow): boolean {
  return left.endpoint === right.endpoint && left.ports === right.ports && left.pod === right.pod;
}

function* selectPods(
  services: ReadonlyMap<string, ServiceRecord>,
  pods: ReadonlyMap<string, PodRecord>,
): Steps<Map<string, readonly PodRecord[]>> {
  const selectors = [...services.values()].map(({ name, selector }) => ({
    name,
    labels: Object.entries(selector ?? {}),
  }));
  // Each selector is looked up by its first label and then checked in full.
  const carriers = new Map<string, Map<string, PodRecord[]>>();
  for (const { labels } of selectors) {
    const [first] = labels;
    if (first === undefined) continue;
    const [key, value] = first;
    const byValue = carriers.get(key) ?? new Map<string, PodRecord[]>();
    carriers.set(key, byValue.set(value, []));
  }
  for (const pod of pods.values()) {
    yield;
    for (const [key, byValue] of carriers) {
      const value = pod.labels[key];
      if (value !== undefined) byValue.get(value)?.push(pod);
    }
  }
  const selected = new Map<string, readonly PodRecord[]>();
  for (const { name, labels } of selectors) {
    yield;
    const [first] = labels;
    if (first === undefined) continue;
    const found = carriers.get(first[0])?.get(first[1]) ?? [];
    selected.set(
      name,
      found
        .filter((pod) => labels.every(([key, value]) => pod.labels[key] === value))
        .sort((left, right) => compareText(left.name, right.name)),
    );
  }
  return selected;
}

/** A Service's EndpointSlices count; its Endpoints object only when it has none, as Kubernetes mirrors the one to the other. */
function endpointsByService(
  slices: ReadonlyMap<string, EndpointsRecord>,
  endpointsObjects: ReadonlyMap<string, EndpointsRecord>,
): Map<string, readonly EndpointsRecord[]> {
  return new Map([...groupByService(endpointsObjects), ...groupByService(slices)]);
}

function* endpointRows(
  pods: ReadonlyMap<string, PodRecord>,
  listed: ReadonlyMap<string, readonly EndpointsRecord[]>,
  known: (service: string) => readonly EndpointRow[] | undefined,
): Steps<Map<string, readonly EndpointRow[]>> {
  let podAt: ReadonlyMap<string, PodRecord> | undefined;
  const podOf = (endpoint: EndpointAddress) => {
    if (endpoint.pod !== undefined) return pods.get(endpoint.pod);
    podAt ??= podByAddress(pods);
    return firstPod(endpoint, podAt);
  };
  const rows = new Map<string, readonly EndpointRow[]>();
  for (const [service, records] of listed) {
    if (rows.size % SERVICES_IN_A_STEP === 0) yield;
    rows.set(service, known(service) ?? records.flatMap((record) => rowsOf(record, podOf)));
  }
  return rows;
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
  for (const record of [...records.values()].sort((left, right) => (left.name < right.name ? -1 : 1))) {
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
