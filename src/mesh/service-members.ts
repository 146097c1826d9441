import { sameContent } from "./content-equality.ts";
import type { EndpointRow } from "./membership.ts";
import { compareText } from "./precedence.ts";
import type { PodRecord, ServiceRecord } from "./records.ts";

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

/** The pods behind a Service, by name: those that it selects and those that its endpoints name. */
export function membersOf(
  record: ServiceRecord,
  selected: readonly PodRecord[],
  rows: readonly EndpointRow[],
): Member[] {
  const rowsByPod = new Map<PodRecord, EndpointRow[]>(selected.map((pod) => [pod, []]));
  for (const row of rows) {
    if (row.pod === undefined) continue;
    const known = rowsByPod.get(row.pod);
    if (known === undefined) rowsByPod.set(row.pod, [row]);
    else known.push(row);
  }
  const isSelected = new Set(selected);
  // Where no port is named, pods that agree in the rest have one map: there may be thousands of them.
  const hasNamed = record.ports.some(({ targetPort }) => typeof targetPort !== "number");
  const shared = new Map<EndpointRow["ports"], ReadonlyMap<string, readonly number[]>>();
  const portsOf = (pod: PodRecord, own: readonly EndpointRow[]) => {
    const [first, ...others] = own;
    const isPlain = !hasNamed && first !== undefined && others.length === 0 && isSelected.has(pod);
    const known = isPlain ? shared.get(first.ports) : undefined;
    if (known !== undefined) return known;
    const found = targetPortsOf(record, isSelected.has(pod) ? pod : undefined, own);
    if (isPlain) shared.set(first.ports, found);
    return found;
  };
  return [...rowsByPod]
    .map(([pod, own]) => {
      const host = record.isHeadless
        ? (hostOfPod(record, pod) ?? own.map((row) => hostOfRow(record, row)).find((name) => name !== undefined))
        : undefined;
      const targetPorts = portsOf(pod, own);
      return host === undefined ? { pod, targetPorts } : { pod, host, targetPorts };
    })
    .sort((left, right) => compareText(left.pod.name, right.pod.name));
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

/** The earlier list when it says the same about the same pods. */
export function keepMembers(previous: readonly Member[] | undefined, next: readonly Member[]): readonly Member[] {
  const isSame = previous !== undefined && sayTheSame(previous, next, Object.is);
  return isSame ? previous : next;
}

/** Whether both say the same about pods of the same names. */
export function haveSameMembers(left: readonly Member[], right: readonly Member[]): boolean {
  return left === right || sayTheSame(left, right, (pod, other) => pod.name === other.name);
}

function sayTheSame(
  left: readonly Member[],
  right: readonly Member[],
  isSamePod: (left: PodRecord, right: PodRecord) => boolean,
): boolean {
  if (left.length !== right.length) return false;
  // Maps that many share are compared once.
  let lastLeft: Member["targetPorts"] | undefined;
  let lastRight: Member["targetPorts"] | undefined;
  for (const [position, { pod, host, targetPorts }] of right.entries()) {
    const before = left[position];
    if (before === undefined || !isSamePod(before.pod, pod) || before.host !== host) return false;
    if (before.targetPorts === lastLeft && targetPorts === lastRight) continue;
    if (!sameContent(before.targetPorts, targetPorts)) return false;
    lastLeft = before.targetPorts;
    lastRight = targetPorts;
  }
  return true;
}

/** Names one port of a Service: TCP and UDP may share a number, and then differ by name. */
export function servicePortKey(port: { readonly name: string; readonly port: number }): string {
  return `${port.name}|${port.port}`;
}

export function sortNumbers(numbers: Iterable<number>): readonly number[] {
  return [...numbers].sort((left, right) => left - right);
}

/** Kubernetes gives a pod a name of its own within a headless Service that its `subdomain` names. */
function hostOfPod(record: ServiceRecord, pod: PodRecord): string | undefined {
  const isNamed = record.isHeadless && pod.hostname !== "" && pod.subdomain === record.name;
  return isNamed ? pod.hostname : undefined;
}

/** The name of an endpoint within a headless Service. */
export function hostOfRow(record: ServiceRecord, row: EndpointRow): string | undefined {
  if (!record.isHeadless) return undefined;
  if (row.endpoint.hostname !== undefined && row.endpoint.hostname !== "") return row.endpoint.hostname;
  return row.pod === undefined ? undefined : hostOfPod(record, row.pod);
}

/** All names of pods within a headless Service, sorted. */
export function hostsOf(
  record: ServiceRecord,
  members: readonly Member[],
  rows: readonly EndpointRow[],
): readonly string[] {
  const hosts = new Set<string>();
  for (const { host } of members) if (host !== undefined) hosts.add(host);
  for (const row of rows) {
    const host = hostOfRow(record, row);
    if (host !== undefined) hosts.add(host);
  }
  return [...hosts].sort();
}
