import type { Rejection } from "../lib/mod.ts";
import type { EndpointRow } from "./membership.ts";
import type { ServicePort, ServiceProtocol, ServiceRecord } from "./records.ts";
import { type Member, servicePortKey, sortNumbers } from "./service-members.ts";

/** `http` and `grpc` share routes; `tcp` and `tcp-server-first` are plain connections. */
export function isHttp(protocol: ServiceProtocol): boolean {
  return protocol === "http" || protocol === "grpc";
}

/** A port that takes part, and the pods' ports to which it leads. */
export interface AcceptedPort {
  readonly port: ServicePort;
  readonly protocol: ServiceProtocol;
  readonly targetPorts: readonly number[];
}

/**
 * Ports of one Service that can stand together: Envoy tells them apart on the server's side by target port alone, so two
 * that lead to one target port must be both HTTP or both plain. The one listed first stands.
 */
export function acceptPorts(
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
