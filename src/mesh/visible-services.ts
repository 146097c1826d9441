import type { AccessGrant } from "./access-policy.ts";
import { keepElements } from "./content-equality.ts";
import { type OutboundScope, scopeOf } from "./outbound-scope.ts";
import { compareText } from "./precedence.ts";
import { serviceLabel } from "./resource-names.ts";
import { type PortModel, portKey } from "./service-model.ts";
import { isHttp } from "./service-ports.ts";
import type { MeshSnapshot } from "./snapshot.ts";
import type { PortSplit } from "./split-policy.ts";
import type { Identity } from "./view.ts";
import type { ViewMemory } from "./view-memory.ts";

/** A Service port that a client may see. */
export interface VisiblePort {
  readonly port: PortModel;
  /** Service accounts whose endpoints the client gets, sorted; undefined: every endpoint. */
  readonly accounts?: readonly string[];
  /** False: only its cluster is wanted, by the split of another Service. */
  readonly hasChain: boolean;
}

/** The ports that workloads of this identity see, and what of them. */
export function visiblePorts(snapshot: MeshSnapshot, identity: Identity): readonly VisiblePort[] {
  if (!snapshot.settings.isPermissive) return grantedPorts(snapshot, identity);
  const scope = scopeOf(snapshot, identity.namespace);
  return scope === undefined ? allVisiblePorts(snapshot) : scopedPorts(snapshot, scope);
}

/** Every port of the mesh with every endpoint: what anybody sees in permissive mode, unless its namespace has a scope. */
export function allVisiblePorts(snapshot: MeshSnapshot): readonly VisiblePort[] {
  const { ports } = snapshot.structure;
  return snapshot.memory.index(ports, () => ports.map((port) => ({ port, hasChain: true })));
}

/** The ports of the Services in a scope with every endpoint, sorted, and clusters for the backends of their splits. */
function scopedPorts(snapshot: MeshSnapshot, scope: OutboundScope): readonly VisiblePort[] {
  const withChain = new Set<PortModel>();
  for (const [namespace, services] of scope) {
    for (const port of snapshot.namespaces.get(namespace)?.ports ?? []) {
      if (services === "all" || services.has(port.service)) withChain.add(port);
    }
  }
  return [...withBackends(snapshot, withChain)]
    .map((port) => ({ port, hasChain: withChain.has(port) }))
    .sort((left, right) => compareText(left.port.key, right.port.key));
}

/** The ports, and those to which their splits lead. */
function withBackends(snapshot: MeshSnapshot, ports: ReadonlySet<PortModel>): ReadonlySet<PortModel> {
  const found = new Set(ports);
  for (const port of ports) {
    for (const backend of splitOf(snapshot, port)?.backends ?? []) {
      const leaf = findPort(snapshot, portKey({ label: serviceLabel(port.namespace, backend), port: port.port }));
      if (leaf !== undefined) found.add(leaf);
    }
  }
  return found;
}

/**
 * What TrafficTargets let `identity` call, sorted. An apex is visible with any of its backends; a backend that is not
 * granted gets a cluster without endpoints, so that its share ends in 503 at once.
 */
function grantedPorts(snapshot: MeshSnapshot, identity: Identity): readonly VisiblePort[] {
  const granted = new Map<PortModel, Set<string>>();
  for (const grant of grantsFrom(snapshot, identity)) {
    const account = `${grant.namespace}/${grant.destination}`;
    for (const port of portsOfAccount(snapshot, account)) {
      if (opensPort(grant, port)) granted.set(port, (granted.get(port) ?? new Set()).add(grant.destination));
    }
  }
  const withChain = new Set(granted.keys());
  for (const port of granted.keys()) {
    for (const apexKey of snapshot.namespaces.get(port.namespace)?.splits.apexesByBackend.get(port.key) ?? []) {
      const apex = findPort(snapshot, apexKey);
      if (apex !== undefined) withChain.add(apex);
    }
  }
  return [...withBackends(snapshot, withChain)]
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
  return snapshot.splits.get(port.namespace)?.get(port.key);
}

/** The Service port with this `portKey`. */
export function findPort(snapshot: MeshSnapshot, key: string): PortModel | undefined {
  return portIndex(snapshot, key.slice(0, key.indexOf("/")))?.byKey.get(key);
}

/** Ports of Services behind which there are pods of this account, `<namespace>/<service account>`. */
function portsOfAccount(snapshot: MeshSnapshot, account: string): readonly PortModel[] {
  return portIndex(snapshot, account.slice(0, account.indexOf("/")))?.byAccount.get(account) ?? [];
}

/** Grants of which the identity is a source; the same list while none differs. */
export function grantsFrom(snapshot: MeshSnapshot, identity: Identity): readonly AccessGrant[] {
  const { memory, settings, grants } = snapshot;
  if (settings.isPermissive) return NO_GRANTS;
  const key = `${identity.namespace}/${identity.serviceAccount}`;
  return memory.rememberFor(key, "grants", [grants], () => grantsAmong(snapshot, key), keepElements);
}

function grantsAmong(snapshot: MeshSnapshot, source: string): readonly AccessGrant[] {
  const found: AccessGrant[] = [];
  for (const grants of snapshot.grants) {
    for (const grant of grantIndex(snapshot, grants).bySource().get(source) ?? NO_GRANTS) found.push(grant);
  }
  return found;
}

/** Grants whose destination is this identity, in order of precedence. */
export function grantsTo(snapshot: MeshSnapshot, identity: Identity): readonly AccessGrant[] {
  if (snapshot.settings.isPermissive) return NO_GRANTS;
  const grants = snapshot.namespaces.get(identity.namespace)?.access.grants;
  if (grants === undefined) return NO_GRANTS;
  return grantIndex(snapshot, grants).byDestination.get(identity.serviceAccount) ?? NO_GRANTS;
}

const NO_GRANTS: readonly AccessGrant[] = [];

interface GrantIndex {
  /** By `<namespace>/<service account>`. Made when it is asked for: an edit of who may call asks for nobody's rights but the caller's. */
  readonly bySource: () => ReadonlyMap<string, readonly AccessGrant[]>;
  /** By service account of the grants' own namespace. */
  readonly byDestination: ReadonlyMap<string, readonly AccessGrant[]>;
}

/** Of the grants of one namespace, so that an edit costs what its namespace holds. */
function grantIndex({ memory }: MeshSnapshot, grants: readonly AccessGrant[]): GrantIndex {
  return memory.index(grants, () => indexOfGrants(memory, grants));
}

/** It lives as long as the grants: with a snapshot in reach, each would keep the one before it, and that one its own. */
function indexOfGrants(memory: ViewMemory, grants: readonly AccessGrant[]): GrantIndex {
  let bySource: ReadonlyMap<string, readonly AccessGrant[]> | undefined;
  return {
    bySource: () => {
      bySource ??= grantsBySource(memory, grants);
      return bySource;
    },
    byDestination: Map.groupBy(grants, ({ destination }) => destination),
  };
}

function grantsBySource(memory: ViewMemory, grants: readonly AccessGrant[]): ReadonlyMap<string, AccessGrant[]> {
  const found = new Map<string, AccessGrant[]>();
  for (const grant of grants) {
    const names = memory.index(
      grant,
      () => new Set(grant.sources.map(({ namespace, name }) => `${namespace}/${name}`)),
    );
    for (const name of names) append(found, name, grant);
  }
  return found;
}

interface PortIndex {
  readonly byAccount: ReadonlyMap<string, readonly PortModel[]>;
  readonly byKey: ReadonlyMap<string, PortModel>;
}

function portIndex(snapshot: MeshSnapshot, namespace: string): PortIndex | undefined {
  const ports = snapshot.namespaces.get(namespace)?.ports;
  if (ports === undefined) return undefined;
  return snapshot.memory.index(ports, () => {
    const byAccount = new Map<string, PortModel[]>();
    const byKey = new Map<string, PortModel>();
    for (const port of ports) {
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
