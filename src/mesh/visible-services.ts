import type { AccessGrant } from "./access-policy.ts";
import { compareText } from "./precedence.ts";
import { serviceLabel } from "./resource-names.ts";
import { type PortModel, portKey } from "./service-model.ts";
import { isHttp } from "./service-ports.ts";
import type { MeshSnapshot } from "./snapshot.ts";
import type { PortSplit } from "./split-policy.ts";
import type { Identity } from "./view.ts";

/** A Service port that a client may see. */
export interface VisiblePort {
  readonly port: PortModel;
  /** Service accounts whose endpoints the client gets, sorted; undefined: every endpoint. */
  readonly accounts?: readonly string[];
  /** False: only its cluster is wanted, by the split of another Service. */
  readonly hasChain: boolean;
}

/** Every port of the mesh with every endpoint: what anybody sees in permissive mode. */
export function allVisiblePorts(snapshot: MeshSnapshot): readonly VisiblePort[] {
  const { structure } = snapshot;
  return structure.derived.once("all-visible-ports ", () => structure.ports.map((port) => ({ port, hasChain: true })));
}

/**
 * What TrafficTargets let `identity` call, sorted. An apex is visible with any of its backends; a backend that is not
 * granted gets a cluster without endpoints, so that its share ends in 503 at once.
 */
export function grantedPorts(snapshot: MeshSnapshot, identity: Identity): readonly VisiblePort[] {
  const { byAccount } = portIndex(snapshot);
  const granted = new Map<PortModel, Set<string>>();
  for (const grant of grantsFrom(snapshot, identity)) {
    const account = `${grant.namespace}/${grant.destination}`;
    for (const port of byAccount.get(account) ?? []) {
      if (opensPort(grant, port)) granted.set(port, (granted.get(port) ?? new Set()).add(grant.destination));
    }
  }
  const withChain = new Set(granted.keys());
  for (const port of granted.keys()) {
    for (const apexKey of snapshot.structure.splits.get(port.namespace)?.apexesByBackend.get(port.key) ?? []) {
      const apex = findPort(snapshot, apexKey);
      if (apex !== undefined) withChain.add(apex);
    }
  }
  const visible = new Set(withChain);
  for (const port of withChain) {
    for (const backend of splitOf(snapshot, port)?.backends ?? []) {
      const leaf = findPort(snapshot, portKey({ label: serviceLabel(port.namespace, backend), port: port.port }));
      if (leaf !== undefined) visible.add(leaf);
    }
  }
  return [...visible]
    .map((port) => ({ port, accounts: [...(granted.get(port) ?? [])].sort(), hasChain: withChain.has(port) }))
    .sort((left, right) => compareText(left.port.key, right.port.key));
}

/** Whether the grant's rules are of the port's kind and, for plain TCP, name its target port. */
export function opensPort(grant: AccessGrant, port: PortModel): boolean {
  if (isHttp(port.protocol)) return grant.http !== undefined;
  return port.targetPorts.some((targetPort) => opensTcpPort(grant, targetPort));
}

export function opensTcpPort(grant: AccessGrant, targetPort: number): boolean {
  return grant.tcp === "any" || (grant.tcp?.includes(targetPort) ?? false);
}

/** The split of a Service port, if there is one. */
export function splitOf(snapshot: MeshSnapshot, port: PortModel): PortSplit | undefined {
  return snapshot.structure.splits.get(port.namespace)?.byApex.get(port.key);
}

/** The Service port with this `portKey`. */
export function findPort(snapshot: MeshSnapshot, key: string): PortModel | undefined {
  return portIndex(snapshot).byKey.get(key);
}

/** Grants of which the identity is a source. */
export function grantsFrom(snapshot: MeshSnapshot, identity: Identity): readonly AccessGrant[] {
  const bySource = snapshot.access.derived.once("grants-by-source ", () => {
    const found = new Map<string, AccessGrant[]>();
    for (const grant of snapshot.access.grants) {
      for (const { namespace, name } of grant.sources) append(found, `${namespace}/${name}`, grant);
    }
    return found;
  });
  return bySource.get(`${identity.namespace}/${identity.serviceAccount}`) ?? [];
}

interface PortIndex {
  readonly byAccount: ReadonlyMap<string, readonly PortModel[]>;
  readonly byKey: ReadonlyMap<string, PortModel>;
}

function portIndex(snapshot: MeshSnapshot): PortIndex {
  return snapshot.structure.derived.once("port-index ", () => {
    const byAccount = new Map<string, PortModel[]>();
    const byKey = new Map<string, PortModel>();
    for (const port of snapshot.structure.ports) {
      byKey.set(port.key, port);
      for (const account of port.accounts) append(byAccount, `${port.namespace}/${account}`, port);
    }
    return { byAccount, byKey };
  });
}

function append<V>(lists: Map<string, V[]>, key: string, value: V): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
