import type { Rejection } from "../lib/mod.ts";
import { keepIfSame, keepSameValues } from "./content-equality.ts";
import type { EndpointRow } from "./membership.ts";
import type { PodRecord, ServicePort, ServiceProtocol, ServiceRecord } from "./records.ts";
import { clusterName, fullyQualifiedName, serviceLabel } from "./resource-names.ts";

/**
 * One port of a Service, or of one pod of a StatefulSet's (headless) Service, resolved: what clients may call. Says
 * nothing about readiness, so that endpoint churn leaves it as it is.
 */
export interface PortModel {
  readonly namespace: string;
  readonly service: string;
  readonly host?: string;
  readonly label: string;
  /** `portKey`: names it within the mesh. */
  readonly key: string;
  readonly fqdn: string;
  /** Empty when unnamed. */
  readonly name: string;
  readonly port: number;
  readonly protocol: ServiceProtocol;
  /** Port by which the cluster is named: the number declared, or the lowest to which a named port resolves. */
  readonly targetPort: number;
  /** All ports of pods to which it resolves. */
  readonly targetPorts: readonly number[];
  readonly cluster: string;
  /** Service accounts (of this namespace) of the pods behind it, sorted. */
  readonly accounts: readonly string[];
  readonly isHeadless: boolean;
  /** Addresses that clients connect to: cluster IPs, or the endpoints' own, ready or not. Sorted. */
  readonly addresses: readonly string[];
}

/** A place to send requests to. Without an account nobody is known to answer there. */
export interface EndpointModel {
  readonly address: string;
  readonly port: number;
  readonly account?: string;
}

/** A pod of a Service, seen from the pod. */
export interface Member {
  readonly pod: PodRecord;
  /** Its host name within a headless Service. */
  readonly host?: string;
  /**
   * Ports of the pod by `servicePortKey`: where the Service points, and where endpoints do, which may lag
   * behind it or be written by hand.
   */
  readonly targetPorts: ReadonlyMap<string, readonly number[]>;
}

export interface ServiceModel {
  readonly record: ServiceRecord;
  readonly selected: readonly PodRecord[] | undefined;
  readonly rows: readonly EndpointRow[] | undefined;
  readonly members: readonly Member[];
  /** Ports that have an effect, in the Service's order; each pod host follows its Service. */
  readonly ports: readonly PortModel[];
  /** Ready endpoints by cluster name, sorted by address, then port. */
  readonly endpoints: ReadonlyMap<string, readonly EndpointModel[]>;
  readonly rejections: readonly Rejection[];
}

/** `http` and `grpc` share routes; `tcp` and `tcp-server-first` are plain connections. */
export function isHttp(protocol: ServiceProtocol): boolean {
  return protocol === "http" || protocol === "grpc";
}

/** The model of one Service; its parts that say the same as in `previous` are the same objects. */
export function serviceModel(
  record: ServiceRecord,
  selected: readonly PodRecord[] | undefined,
  rows: readonly EndpointRow[] | undefined,
  clusterDomain: string,
  previous?: ServiceModel,
): ServiceModel {
  if (previous?.record === record && previous.selected === selected && previous.rows === rows) return previous;
  const members = membersOf(record, selected ?? [], rows ?? []);
  const { accepted, rejections } = acceptPorts(record, members, rows ?? []);
  const hosts: (string | undefined)[] = [undefined, ...hostsOf(record, members, rows ?? [])];
  const ports: PortModel[] = [];
  const endpoints = new Map<string, EndpointModel[]>();
  for (const { port, protocol, targetPorts } of accepted) {
    for (const host of hosts) {
      const hostRows = (rows ?? []).filter((row) => host === undefined || hostOfRow(record, row) === host);
      const model = portModel({ record, port, protocol, targetPorts, host, members, rows: hostRows, clusterDomain });
      ports.push(model);
      const known = endpoints.get(model.cluster) ?? [];
      endpoints.set(model.cluster, mergeEndpoints(known, endpointsOf(port, hostRows)));
    }
  }
  return {
    record,
    selected,
    rows,
    members: keepMembers(previous?.members, members),
    ports: keepPorts(previous?.ports, ports),
    endpoints: keepSameValues(previous?.endpoints, endpoints),
    rejections: keepIfSame(previous?.rejections, rejections),
  };
}

function keepMembers(previous: readonly Member[] | undefined, next: readonly Member[]): readonly Member[] {
  const isSame =
    previous?.length === next.length &&
    next.every(({ pod, ...rest }, position) => {
      const before = previous[position];
      if (before?.pod !== pod) return false;
      const { pod: _pod, ...restBefore } = before;
      return keepIfSame<object>(restBefore, rest) === restBefore;
    });
  return isSame ? previous : next;
}

function keepPorts(previous: readonly PortModel[] | undefined, next: readonly PortModel[]): readonly PortModel[] {
  const known = new Map(previous?.map((model) => [model.key, model]));
  const kept = next.map((model) => keepIfSame(known.get(model.key), model));
  return keepIfSame(previous, kept);
}

function membersOf(record: ServiceRecord, selected: readonly PodRecord[], rows: readonly EndpointRow[]): Member[] {
  const rowsByPod = new Map<PodRecord, EndpointRow[]>(selected.map((pod) => [pod, []]));
  for (const row of rows) {
    if (row.pod === undefined) continue;
    const known = rowsByPod.get(row.pod);
    if (known === undefined) rowsByPod.set(row.pod, [row]);
    else known.push(row);
  }
  const isSelected = new Set(selected);
  return [...rowsByPod]
    .map(([pod, own]) => {
      const host =
        hostOfPod(record, pod) ?? own.map((row) => hostOfRow(record, row)).find((name) => name !== undefined);
      const targetPorts = targetPortsOf(record, isSelected.has(pod) ? pod : undefined, own);
      return host === undefined ? { pod, targetPorts } : { pod, host, targetPorts };
    })
    .sort((left, right) => (left.pod.name < right.pod.name ? -1 : 1));
}

function targetPortsOf(
  record: ServiceRecord,
  selected: PodRecord | undefined,
  rows: readonly EndpointRow[],
): ReadonlyMap<string, readonly number[]> {
  const found = new Map<string, readonly number[]>();
  for (const servicePort of record.ports) {
    const { name, targetPort } = servicePort;
    if (servicePort.protocol === undefined || found.has(servicePortKey(servicePort))) continue;
    const numbers = new Set(rows.flatMap((row) => row.ports.filter((own) => own.name === name)).map((own) => own.port));
    if (selected !== undefined) {
      const declared =
        typeof targetPort === "number" ? targetPort : selected.ports.find((own) => own.name === targetPort)?.port;
      if (declared !== undefined) numbers.add(declared);
    }
    found.set(servicePortKey(servicePort), sortNumbers(numbers));
  }
  return found;
}

/** Names one `PortModel` within the mesh. */
export function portKey(port: { readonly label: string; readonly port: number }): string {
  return `${port.label}|${port.port}`;
}

/** Names one port of a Service: TCP and UDP may share a number, and then differ by name. */
export function servicePortKey(port: { readonly name: string; readonly port: number }): string {
  return `${port.name}|${port.port}`;
}

function sortNumbers(numbers: Iterable<number>): readonly number[] {
  return [...numbers].sort((left, right) => left - right);
}

/** Kubernetes gives a pod a name of its own within a headless Service that its `subdomain` names. */
function hostOfPod(record: ServiceRecord, pod: PodRecord): string | undefined {
  const isNamed = record.isHeadless && pod.hostname !== "" && pod.subdomain === record.name;
  return isNamed ? pod.hostname : undefined;
}

function hostOfRow(record: ServiceRecord, row: EndpointRow): string | undefined {
  if (!record.isHeadless) return undefined;
  if (row.endpoint.hostname !== undefined && row.endpoint.hostname !== "") return row.endpoint.hostname;
  return row.pod === undefined ? undefined : hostOfPod(record, row.pod);
}

function hostsOf(record: ServiceRecord, members: readonly Member[], rows: readonly EndpointRow[]): readonly string[] {
  const hosts = new Set<string>();
  for (const { host } of members) if (host !== undefined) hosts.add(host);
  for (const row of rows) {
    const host = hostOfRow(record, row);
    if (host !== undefined) hosts.add(host);
  }
  return [...hosts].sort();
}

interface AcceptedPort {
  readonly port: ServicePort;
  readonly protocol: ServiceProtocol;
  readonly targetPorts: readonly number[];
}

/**
 * Ports of one Service that can stand together: Envoy tells them apart on the server's side by target port alone, so two
 * that lead to one target port must be both HTTP or both plain. The one listed first stands.
 */
function acceptPorts(
  record: ServiceRecord,
  members: readonly Member[],
  rows: readonly EndpointRow[],
): { readonly accepted: readonly AcceptedPort[]; readonly rejections: readonly Rejection[] } {
  const accepted: AcceptedPort[] = [];
  const rejections: Rejection[] = [];
  const listed: AcceptedPort[] = [];
  record.ports.forEach((port, position) => {
    if (port.protocol === undefined) return;
    const candidate = { port, protocol: port.protocol, targetPorts: resolveTargetPorts(record, port, members, rows) };
    const rival =
      listed.find((other) => other.port.port === port.port) ?? accepted.find((other) => areRivals(other, candidate));
    listed.push(candidate);
    if (rival === undefined) {
      accepted.push(candidate);
      return;
    }
    rejections.push({
      ...record.ref,
      strength: "part",
      field: `spec.ports[${position}]`,
      reason: "port-conflict",
      message:
        rival.port.port === port.port
          ? `Port ${port.port} is listed twice; the first one stands. Remove or renumber this one.`
          : `Port ${port.port} (${candidate.protocol}) leads to the same target port as port ${rival.port.port} (${rival.protocol}), which stands. Give both one protocol or different target ports.`,
    });
  });
  return { accepted, rejections };
}

function areRivals(left: AcceptedPort, right: AcceptedPort): boolean {
  if (isHttp(left.protocol) === isHttp(right.protocol)) return false;
  return left.targetPorts.some((port) => right.targetPorts.includes(port));
}

function resolveTargetPorts(
  record: ServiceRecord,
  port: ServicePort,
  members: readonly Member[],
  rows: readonly EndpointRow[],
): readonly number[] {
  if (typeof port.targetPort === "number" && record.selector !== undefined) return [port.targetPort];
  const found = new Set(members.flatMap((member) => member.targetPorts.get(servicePortKey(port)) ?? []));
  for (const row of rows) {
    for (const { name, port: number } of row.ports) if (name === port.name) found.add(number);
  }
  if (found.size === 0) found.add(typeof port.targetPort === "number" ? port.targetPort : port.port);
  return sortNumbers(found);
}

function portModel(input: {
  readonly record: ServiceRecord;
  readonly port: ServicePort;
  readonly protocol: ServiceProtocol;
  readonly targetPorts: readonly number[];
  readonly host: string | undefined;
  readonly members: readonly Member[];
  readonly rows: readonly EndpointRow[];
  readonly clusterDomain: string;
}): PortModel {
  const { record, port, host } = input;
  const parts = { namespace: record.namespace, service: record.name, ...(host === undefined ? {} : { host }) };
  const members = input.members.filter((member) => host === undefined || member.host === host);
  const label = serviceLabel(record.namespace, record.name, host);
  const targetPort = input.targetPorts[0] ?? port.port;
  const addresses = record.isHeadless ? input.rows.flatMap((row) => row.endpoint.addresses) : record.clusterIps;
  return {
    ...parts,
    label,
    key: portKey({ label, port: port.port }),
    fqdn: fullyQualifiedName(parts, input.clusterDomain),
    name: port.name,
    port: port.port,
    protocol: input.protocol,
    targetPort,
    targetPorts: input.targetPorts,
    cluster: clusterName(label, targetPort),
    accounts: [...new Set(members.map((member) => member.pod.serviceAccount))].sort(),
    isHeadless: record.isHeadless,
    addresses: [...new Set(addresses)].sort(),
  };
}

function endpointsOf(port: ServicePort, rows: readonly EndpointRow[]): EndpointModel[] {
  return rows.flatMap((row) => {
    if (!row.endpoint.isReady) return [];
    const account = row.pod === undefined ? {} : { account: row.pod.serviceAccount };
    return row.ports
      .filter(({ name }) => name === port.name)
      .flatMap((target) => row.endpoint.addresses.map((address) => ({ address, port: target.port, ...account })));
  });
}

/** Endpoints without duplicates; of two that differ in their account alone, the one that has one stands. */
function mergeEndpoints(known: readonly EndpointModel[], added: readonly EndpointModel[]): EndpointModel[] {
  const merged = new Map<string, EndpointModel>();
  for (const endpoint of [...known, ...added]) {
    const key = `${endpoint.address}|${endpoint.port}`;
    if (merged.get(key)?.account === undefined) merged.set(key, endpoint);
  }
  return [...merged.values()].sort((left, right) =>
    left.address === right.address ? left.port - right.port : left.address < right.address ? -1 : 1,
  );
}
