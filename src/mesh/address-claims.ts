import type { Rejection, Steps } from "../lib/mod.ts";
import { keepIfSame, sameElements } from "./content-equality.ts";
import type { NamespaceModel } from "./namespace-model.ts";
import { comparePrecedence } from "./precedence.ts";
import type { ServiceRecord } from "./records.ts";
import type { PortModel } from "./service-model.ts";
import { isHttp } from "./service-ports.ts";

/**
 * Who is meant by a connection to an address and port. Envoy tells outbound filter chains apart by these two alone, so
 * where several Services claim one pair, they share a chain or all but the first lose it.
 */
export interface AddressClaims {
  /** Claimants that share `addressKey`, first in precedence first; only where there is more than one. */
  readonly shared: ReadonlyMap<string, readonly PortModel[]>;
  /** Ports that take part in a shared address. */
  readonly sharing: ReadonlySet<PortModel>;
  /** The addresses left to ports that lost some. */
  readonly remaining: ReadonlyMap<PortModel, readonly string[]>;
  readonly rejections: readonly Rejection[];
  readonly inputs: readonly unknown[];
}

/** Whether pods had a say in claims that were settled among so many namespaces. */
export function dependOnPods({ inputs }: AddressClaims, namespaces: number): boolean {
  return inputs.length > namespaces;
}

interface Claim {
  readonly port: PortModel;
  readonly service: ServiceRecord;
}

export function addressKey(port: number, address: string): string {
  return `${port}|${address}`;
}

/** Settles all claims of the mesh, in steps; the same object as before when no Service or pod changed. */
export function* addressClaims(models: Iterable<NamespaceModel>, previous?: AddressClaims): Steps<AddressClaims> {
  const all = [...models];
  const inputs: unknown[] = all.map((model) => model.claiming);
  // Pods have a say only in who may claim an endpoint's address.
  if (all.some((model) => model.hasHeadless)) inputs.push(...all.map((model) => model.membership.pods));
  if (previous !== undefined && sameElements(previous.inputs, inputs)) return previous;
  const claims: Claim[] = [];
  for (const model of all) {
    for (const { record, ports } of model.services.values()) {
      for (const port of ports) claims.push({ port, service: record });
    }
  }
  const next = yield* settleClaims(claims, all);
  const shared = keepIfSame(previous?.shared, next.shared);
  return {
    shared,
    sharing: previous !== undefined && shared === previous.shared ? previous.sharing : next.sharing,
    remaining: keepIfSame(previous?.remaining, next.remaining),
    rejections: keepIfSame(previous?.rejections, next.rejections),
    inputs,
  };
}

function* settleClaims(
  claims: readonly Claim[],
  models: readonly NamespaceModel[],
): Steps<Omit<AddressClaims, "inputs">> {
  const lost = new Map<PortModel, Set<string>>();
  const rejections = new Map<string, Rejection>();
  const lose = ({ port, service }: Claim, address: string, reason: string, message: string) => {
    lost.set(port, (lost.get(port) ?? new Set()).add(address));
    const position = service.ports.findIndex((own) => own.port === port.port);
    const key = `${port.namespace}/${port.service}|${port.port}|${reason}`;
    if (rejections.has(key)) return;
    rejections.set(key, { ...service.ref, strength: "part", field: `spec.ports[${position}]`, reason, message });
  };
  const shared = new Map<string, readonly PortModel[]>();
  for (const [key, claimants] of yield* claimsByAddress(claims, podNamespaces(claims, models), lose)) {
    yield;
    if (claimants.length < 2) continue;
    const address = key.slice(key.indexOf("|") + 1);
    const [first, ...others] = claimants.sort(compareClaims) as [Claim, ...Claim[]];
    const together = [first.port];
    for (const other of others) {
      const conflict = conflictOf(first, other, address);
      if (conflict === undefined) together.push(other.port);
      else lose(other, address, conflict.reason, conflict.message);
    }
    if (together.length > 1) shared.set(key, together);
  }
  const remaining = new Map<PortModel, readonly string[]>();
  for (const [port, addresses] of lost)
    remaining.set(
      port,
      port.addresses.filter((address) => !addresses.has(address)),
    );
  return { shared, sharing: new Set([...shared.values()].flat()), remaining, rejections: [...rejections.values()] };
}

type Lose = (claim: Claim, address: string, reason: string, message: string) => void;

function* claimsByAddress(
  claims: readonly Claim[],
  namespacesAt: ReadonlyMap<string, ReadonlySet<string>>,
  lose: Lose,
): Steps<ReadonlyMap<string, Claim[]>> {
  const found = new Map<string, Claim[]>();
  for (const claim of claims) {
    yield;
    const { port } = claim;
    for (const address of port.addresses) {
      const owners = port.isHeadless ? namespacesAt.get(address) : undefined;
      if (owners !== undefined && !owners.has(port.namespace)) {
        lose(
          claim,
          address,
          "address-foreign",
          `Endpoint ${address} is a pod of another namespace; connections to it do not count as this Service. Remove the endpoint.`,
        );
        continue;
      }
      const key = addressKey(port.port, address);
      const list = found.get(key);
      if (list === undefined) found.set(key, [claim]);
      else list.push(claim);
    }
  }
  return found;
}

/** The namespaces of the pods at each address; looked up only when some Service is headless. */
function podNamespaces(
  claims: readonly Claim[],
  models: readonly NamespaceModel[],
): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, Set<string>>();
  if (!claims.some(({ port }) => port.isHeadless)) return found;
  for (const model of models) {
    for (const pod of model.membership.pods.values()) {
      if (pod.isHostNetwork || pod.isTerminated) continue;
      for (const address of pod.addresses) found.set(address, (found.get(address) ?? new Set()).add(pod.namespace));
    }
  }
  return found;
}

/** A cluster IP is given out once, so who holds it comes before endpoints; a pod's own name before its whole Service. */
function compareClaims(left: Claim, right: Claim): number {
  if (left.port.isHeadless !== right.port.isHeadless) return left.port.isHeadless ? 1 : -1;
  if (left.service !== right.service) return comparePrecedence(left.service, right.service);
  const isHostLeft = left.port.host !== undefined;
  if (isHostLeft !== (right.port.host !== undefined)) return isHostLeft ? -1 : 1;
  return left.port.label < right.port.label ? -1 : 1;
}

function conflictOf(
  first: Claim,
  other: Claim,
  address: string,
): { readonly reason: string; readonly message: string } | undefined {
  const { port } = first;
  const holder = `Service "${port.namespace}/${port.service}"`;
  if (port.namespace !== other.port.namespace) {
    return {
      reason: "address-conflict",
      message: `${address}:${port.port} belongs to ${holder} already. Give this Service an address of its own.`,
    };
  }
  if (
    isHttp(port.protocol) === isHttp(other.port.protocol) &&
    (isHttp(port.protocol) || port.protocol === other.port.protocol)
  ) {
    return undefined;
  }
  return {
    reason: "protocol-conflict",
    message: `${address}:${port.port} is ${port.protocol} by ${holder}, which is older, and ${other.port.protocol} here. Give both Services one protocol.`,
  };
}
