import type { Rejection } from "../lib/mod.ts";
import { keepIfSame, keepSameValues } from "./content-equality.ts";
import type { EndpointRow } from "./membership.ts";
import type { PodRecord, ServicePort, ServiceProtocol, ServiceRecord } from "./records.ts";
import { clusterName, fullyQualifiedName, serviceLabel } from "./resource-names.ts";
import { hostOfRow, hostsOf, keepMembers, type Member, membersOf } from "./service-members.ts";
import { acceptPorts, isHttp } from "./service-ports.ts";

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
  /**
   * Of a plain TCP port: there are pods behind it, every one has a sidecar, and no endpoint leads to anything else. Nobody
   * asks of others, and a port that says less changes less.
   */
  readonly isProxied: boolean;
  /** Addresses that clients connect to: cluster IPs, or the endpoints' own, ready or not. Sorted. */
  readonly addresses: readonly string[];
}

/** A place to send requests to. Without an account nobody is known to answer there. */
export interface EndpointModel {
  readonly address: string;
  readonly port: number;
  readonly account?: string;
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
      const hostRows =
        host === undefined ? (rows ?? []) : (rows ?? []).filter((row) => hostOfRow(record, row) === host);
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
    endpoints: keepSameValues(previous?.endpoints, endpoints, haveSameEndpoints),
    rejections: keepIfSame(previous?.rejections, rejections),
  };
}

function keepPorts(previous: readonly PortModel[] | undefined, next: readonly PortModel[]): readonly PortModel[] {
  const known = new Map(previous?.map((model) => [model.key, model]));
  const kept = next.map((model) => keepIfSame(known.get(model.key), model));
  return keepIfSame(previous, kept);
}

/** Names one `PortModel` within the mesh. */
export function portKey(port: { readonly label: string; readonly port: number }): string {
  return `${port.label}|${port.port}`;
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
  const members = host === undefined ? input.members : input.members.filter((member) => member.host === host);
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
    isProxied:
      !isHttp(input.protocol) &&
      members.length > 0 &&
      members.every(({ pod }) => isProxied(pod)) &&
      input.rows.every(leadsToProxy),
    addresses: [...new Set(addresses)].sort(),
  };
}

const isProxied = (pod: PodRecord) => pod.proxyUuid !== undefined && !pod.isTerminated;

function leadsToProxy({ pod, endpoint }: EndpointRow): boolean {
  return pod !== undefined && isProxied(pod) && endpoint.addresses.every((address) => pod.addresses.includes(address));
}

/** Plain loops here and below: a Service may have thousands of endpoints, and one that changes goes through all of them. */
function endpointsOf(port: ServicePort, rows: readonly EndpointRow[]): EndpointModel[] {
  const found: EndpointModel[] = [];
  for (const { endpoint, ports, pod } of rows) {
    if (!endpoint.isReady) continue;
    for (const target of ports) {
      if (target.name !== port.name) continue;
      for (const address of endpoint.addresses) {
        found.push(
          pod === undefined
            ? { address, port: target.port }
            : { address, port: target.port, account: pod.serviceAccount },
        );
      }
    }
  }
  return found;
}

/** Endpoints without duplicates; of two that differ in their account alone, the one that has one stands. */
function mergeEndpoints(known: readonly EndpointModel[], added: readonly EndpointModel[]): EndpointModel[] {
  const merged: EndpointModel[] = [];
  for (const endpoint of known.concat(added).sort(compareEndpoints)) {
    const last = merged.at(-1);
    if (last === undefined || compareEndpoints(last, endpoint) !== 0) merged.push(endpoint);
    else if (last.account === undefined) merged[merged.length - 1] = endpoint;
  }
  return merged;
}

/** Order of endpoints: by address, then port. */
export function compareEndpoints(left: EndpointAt, right: EndpointAt): number {
  if (left.address === right.address) return left.port - right.port;
  return left.address < right.address ? -1 : 1;
}

interface EndpointAt {
  readonly address: string;
  readonly port: number;
}

/** Whether `now` lacks one that is in `before`, both in their order. */
export function lacksEndpoint(before: readonly EndpointAt[], now: readonly EndpointAt[]): boolean {
  let position = 0;
  for (const endpoint of before) {
    let other = now[position];
    while (other !== undefined && compareEndpoints(other, endpoint) < 0) other = now[++position];
    if (other === undefined || compareEndpoints(other, endpoint) !== 0) return true;
  }
  return false;
}

function haveSameEndpoints(left: readonly EndpointModel[], right: readonly EndpointModel[]): boolean {
  if (left.length !== right.length) return false;
  for (let position = 0; position < left.length; position++) {
    const [one, other] = [left[position], right[position]];
    if (one?.address !== other?.address || one?.port !== other?.port || one?.account !== other?.account) return false;
  }
  return true;
}
