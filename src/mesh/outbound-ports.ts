/** The ports of services that a client may call, as far as it sees them. */
import { type ChainGroup, chainGroups } from "./chain-groups.ts";
import { keepElements, keepIfSame, sameContent, sameElements } from "./content-equality.ts";
import { scopedNamespaces, scopeOf } from "./outbound-scope.ts";
import type { PortModel } from "./service-model.ts";
import { isHttp } from "./service-ports.ts";
import type { MeshSnapshot } from "./snapshot.ts";
import type { Identity, WeightedCluster } from "./view.ts";
import { allVisiblePorts, grantsFrom, splitOf, type VisiblePort, visiblePorts } from "./visible-services.ts";

/** Whose outbound side it is. */
export interface OutboundOwner {
  readonly identity: Identity;
  /**
   * Who sees the same ports: in permissive mode everybody (empty) but for namespaces with a scope, else the identity
   * `<namespace>/<service account>`.
   */
  readonly visibility: string;
  /** Who has the same routes: in permissive mode a namespace, by the short host names, else the identity. */
  readonly routes: string;
}

export function outboundOwner(snapshot: MeshSnapshot, identity: Identity): OutboundOwner {
  const { namespace, serviceAccount } = identity;
  if (snapshot.settings.isPermissive) {
    return { identity, visibility: scopedNamespaces(snapshot).has(namespace) ? namespace : "", routes: namespace };
  }
  const name = `${namespace}/${serviceAccount}`;
  return { identity, visibility: name, routes: name };
}

/** The ports that a client sees, in the forms that its resources are made of. Each list stays the same while it says the same. */
export interface Outbound {
  readonly visible: readonly VisiblePort[];
  readonly groups: readonly ChainGroup[];
  /** The ports that stand for the clusters, one each. */
  readonly clustered: readonly VisiblePort[];
  /** The groups that have a route configuration. */
  readonly routed: readonly ChainGroup[];
}

/** Worked out once for all that see the same. */
export function outboundOf(snapshot: MeshSnapshot, { identity, visibility }: OutboundOwner): Outbound {
  const { memory, structure, derived } = snapshot;
  return derived.once(`seen ${visibility}`, () => {
    const scope = scopeOf(snapshot, identity.namespace);
    const visible =
      visibility === ""
        ? allVisiblePorts(snapshot)
        : memory.rememberFor(
            visibility,
            "visible",
            [structure, scope, reachesOf(snapshot, identity, visibility)],
            () => visiblePorts(snapshot, identity),
            keepVisible,
          );
    const { shared, remaining } = structure.claims;
    return memory.rememberFor(visibility, "seen", [visible, shared, remaining], (before?: Outbound) => {
      const groups = keepIfSame(before?.groups, visibleGroups(snapshot, visible));
      const isSame = groups === before?.groups;
      return {
        visible,
        groups,
        clustered: keepIfSame(before?.clustered, byCluster(visible)),
        routed: isSame ? before.routed : groups.filter((group) => isHttp(group.protocol)),
      };
    });
  });
}

/** What the grants of a client reach; the same list while none reaches further or less far. */
function reachesOf(snapshot: MeshSnapshot, identity: Identity, owner: string): readonly string[] {
  const grants = grantsFrom(snapshot, identity);
  const make = (): readonly string[] => grants.map(({ reach }) => reach);
  return snapshot.memory.rememberFor(owner, "reaches", [grants], make, keepElements);
}

/** Claims to addresses know ports by identity: one that was made anew must not be taken for the one before, though it says the same. */
function keepVisible(before: readonly VisiblePort[] | undefined, next: readonly VisiblePort[]): readonly VisiblePort[] {
  const isSame = (left: VisiblePort, right: VisiblePort) => left.port === right.port && sameContent(left, right);
  return before !== undefined && sameElements(before, next, isSame) ? before : next;
}

/** The outbound filter chains of a client that sees these ports. */
export function visibleGroups(snapshot: MeshSnapshot, visible: readonly VisiblePort[]): readonly ChainGroup[] {
  return chainGroups(
    snapshot.structure.claims,
    visible.filter(({ hasChain }) => hasChain).map(({ port }) => port),
  );
}

/** Several ports with one target port have one cluster; who may use any of them gets the endpoints of all their grants. */
function byCluster(visible: readonly VisiblePort[]): readonly VisiblePort[] {
  const found = new Map<string, VisiblePort>();
  for (const entry of visible) {
    const known = found.get(entry.port.cluster);
    if (known === undefined) found.set(entry.port.cluster, entry);
    else if (known.accounts !== undefined && entry.accounts !== undefined) {
      const accounts = [...new Set([...known.accounts, ...entry.accounts])].sort();
      found.set(entry.port.cluster, { ...known, accounts });
    }
  }
  return [...found.values()];
}

/** Where requests to a port go: to the backends of its split, else to itself. */
export function clustersOf(snapshot: MeshSnapshot, port: PortModel): readonly WeightedCluster[] {
  return splitOf(snapshot, port)?.clusters ?? [{ cluster: port.cluster, weight: 100 }];
}
