import { addressKey } from "./address-claims.ts";
import { type ChainGroup, chainGroups } from "./chain-groups.ts";
import { keepElements, keepIfSame, sameContent, sameElements } from "./content-equality.ts";
import { scopedNamespaces, scopeOf } from "./outbound-scope.ts";
import { compareText } from "./precedence.ts";
import { hostNames, outboundChainName, outboundRouteName, principalName } from "./resource-names.ts";
import type { EndpointModel, PortModel } from "./service-model.ts";
import { isHttp } from "./service-ports.ts";
import type { MeshSnapshot } from "./snapshot.ts";
import type { SplitPolicy } from "./split-policy.ts";
import type {
  AddressMatch,
  EndpointsView,
  Identity,
  OutboundChain,
  OutboundListenerView,
  OutboundRouteView,
  OutboundVirtualHost,
  ResourceView,
  UpstreamClusterView,
  WeightedCluster,
} from "./view.ts";
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
interface Outbound {
  readonly visible: readonly VisiblePort[];
  readonly groups: readonly ChainGroup[];
  /** The ports that stand for the clusters, one each. */
  readonly clustered: readonly VisiblePort[];
  /** The groups that have a route configuration. */
  readonly routed: readonly ChainGroup[];
}

function outboundOf(snapshot: MeshSnapshot, { identity, visibility }: OutboundOwner): Outbound {
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

/** The listener and the clusters by which workloads of this identity call others. */
export function outboundBase(snapshot: MeshSnapshot, owner: OutboundOwner): readonly ResourceView[] {
  const { groups, clustered } = outboundOf(snapshot, owner);
  const { memory, structure, settings } = snapshot;
  return memory.rememberFor(owner.visibility, "base", [structure, groups, clustered], () => {
    const listener = listenerView(snapshot, owner.visibility, groups);
    return [
      ...(listener === undefined ? [] : [listener]),
      ...(settings.isEgressEnabled ? [PASSTHROUGH] : []),
      ...clustered.map(({ port }) => clusterView(snapshot, port)),
    ];
  });
}

interface EndpointsList {
  readonly clustered: readonly VisiblePort[];
  readonly known: readonly (readonly EndpointModel[])[];
  readonly views: readonly ResourceView[];
}

/** The endpoints of these clusters, in the same order. Plain loops: everybody's list is gone through when one Service changes. */
export function outboundEndpoints(snapshot: MeshSnapshot, owner: OutboundOwner): readonly ResourceView[] {
  const { clustered } = outboundOf(snapshot, owner);
  const known: (readonly EndpointModel[])[] = [];
  for (const { port } of clustered) known.push(endpointsOf(snapshot, port));
  const list = snapshot.memory.rememberFor(
    owner.visibility,
    "endpoints",
    [clustered, ...known],
    (before?: EndpointsList) => {
      const isComparable = before?.clustered === clustered;
      const views = clustered.map((entry, position): ResourceView => {
        const view = isComparable && before.known[position] === known[position] ? before.views[position] : undefined;
        return view ?? endpointsView(snapshot, entry, known[position] ?? NO_ENDPOINTS);
      });
      return { clustered, known, views: keepElements(before?.views, views) };
    },
  );
  return list.views;
}

type Splits = MeshSnapshot["splits"];

interface RouteList {
  readonly routed: readonly ChainGroup[];
  readonly splits: Splits;
  readonly views: readonly ResourceView[];
}

/**
 * The outbound route configurations of a client. Only where a split of a group changed, its view is asked for. A plain
 * loop: the lists of all clients are gone through when one weight changes.
 */
export function outboundRoutes(snapshot: MeshSnapshot, owner: OutboundOwner): readonly ResourceView[] {
  const { routed } = outboundOf(snapshot, owner);
  const { splits } = snapshot;
  const { namespace } = owner.identity;
  const list = snapshot.memory.rememberFor(owner.routes, "routes", [routed, splits], (before?: RouteList) => {
    const known = before?.routed === routed ? before : undefined;
    const hasSameSplits = splitComparison(known?.splits, splits);
    const views: ResourceView[] = [];
    for (let position = 0; position < routed.length; position++) {
      const group = routed[position] as ChainGroup;
      const view = hasSameSplits(group) ? known?.views[position] : undefined;
      views.push(view ?? routeView(snapshot, group, group.namespace === namespace));
    }
    return { routed, splits, views: keepElements(before?.views, views) };
  });
  return list.views;
}

/** Says of a group whether its ports have the same splits in both. Groups of one namespace stand together: it is looked up once for them. */
function splitComparison(before: Splits | undefined, after: Splits): (group: ChainGroup) => boolean {
  let last: string | undefined;
  let old: SplitPolicy["byApex"] | undefined;
  let now: SplitPolicy["byApex"] | undefined;
  return ({ namespace, claimants }) => {
    if (namespace !== last) {
      last = namespace;
      old = before?.get(namespace);
      now = after.get(namespace);
    }
    return old === now || claimants.every(({ key }) => old?.get(key) === now?.get(key));
  };
}

/** The outbound filter chains of a client that sees these ports. */
export function visibleGroups(snapshot: MeshSnapshot, visible: readonly VisiblePort[]): readonly ChainGroup[] {
  return chainGroups(
    snapshot.structure.claims,
    visible.filter(({ hasChain }) => hasChain).map(({ port }) => port),
  );
}

const PASSTHROUGH: ResourceView = { kind: "passthrough-cluster", name: "passthrough-outbound" };

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

function clusterView(snapshot: MeshSnapshot, port: PortModel): UpstreamClusterView {
  const { tls } = snapshot.settings;
  return snapshot.memory.remember(port, "cluster", [tls], () => ({
    kind: "upstream-cluster",
    name: port.cluster,
    sni: port.fqdn,
    serverSans: port.accounts.map((name) =>
      principalName({ namespace: port.namespace, name }, snapshot.options.trustDomain),
    ),
    tls,
  }));
}

function endpointsOf(snapshot: MeshSnapshot, port: PortModel): readonly EndpointModel[] {
  const service = snapshot.namespaces.get(port.namespace)?.services.get(port.service);
  return service?.endpoints.get(port.cluster) ?? NO_ENDPOINTS;
}

/** The endpoints that a client with these rights gets; without a known account an endpoint is served to all or none. */
function endpointsView(
  snapshot: MeshSnapshot,
  { port, accounts }: VisiblePort,
  known: readonly EndpointModel[],
): EndpointsView {
  const slot = accounts === undefined ? "endpoints" : `endpoints ${accounts.join(" ")}`;
  return snapshot.memory.remember(port, slot, [known], () => ({
    kind: "endpoints",
    name: port.cluster,
    endpoints: known
      .filter(({ account }) => accounts === undefined || (account !== undefined && accounts.includes(account)))
      .map(({ address, port: number }) => ({ address, port: number })),
  }));
}

const NO_ENDPOINTS: readonly EndpointModel[] = [];

/** Undefined when there is nothing to listen for: Envoy refuses a listener without a chain. */
function listenerView(
  snapshot: MeshSnapshot,
  owner: string,
  groups: readonly ChainGroup[],
): OutboundListenerView | undefined {
  const { isEgressEnabled } = snapshot.settings;
  if (groups.length === 0 && !isEgressEnabled) return undefined;
  const chains = groups.map((group) => chainOf(snapshot, group));
  const refused = snapshot.memory.rememberFor(owner, "refused", [snapshot.structure, ...chains], () =>
    refusedMatches(snapshot, owner, chains),
  );
  return snapshot.memory.rememberFor(owner, "listener", [isEgressEnabled, refused, ...chains], () => ({
    kind: "outbound-listener",
    name: "outbound-listener",
    chains: [...chains].sort((left, right) => compareText(left.name, right.name)),
    isEgressEnabled,
    refused,
  }));
}

/**
 * Plain TCP ports of the mesh that the client does not see, where egress would pass it through: its connection would wait
 * at the server's sidecar for a TLS hello, and a client that waits for a banner says nothing. Only where every pod has a
 * sidecar: behind others nobody decides, and egress means them.
 */
function refusedMatches(
  snapshot: MeshSnapshot,
  owner: string,
  chains: readonly OutboundChain[],
): readonly AddressMatch[] {
  // Nothing is kept from those who see everything.
  if (owner === "" || !snapshot.settings.isEgressEnabled) return [];
  const taken = new Set(chains.flatMap(({ port, addresses }) => addresses.map((address) => addressKey(port, address))));
  const found = new Map<number, Set<string>>();
  for (const model of snapshot.structure.ports) {
    const { port } = model;
    if (isHttp(model.protocol) || !model.isProxied) continue;
    const claimed = snapshot.structure.claims.remaining.get(model) ?? model.addresses;
    const open = claimed.filter((address) => !taken.has(addressKey(port, address)));
    if (open.length > 0) found.set(port, new Set([...(found.get(port) ?? []), ...open]));
  }
  return [...found]
    .map(([port, addresses]) => ({ port, addresses: [...addresses].sort() }))
    .sort((left, right) => left.port - right.port);
}

function chainOf(snapshot: MeshSnapshot, group: ChainGroup): OutboundChain {
  const [first] = group.claimants;
  const split = splitOf(snapshot, first);
  const inputs = [split, ...group.claimants, ...group.addresses];
  return snapshot.memory.remember(first, `chain ${group.label}`, inputs, () => ({
    name: outboundChainName(group.label, group.port, group.protocol),
    port: group.port,
    addresses: group.addresses,
    ...(isHttp(group.protocol)
      ? { route: outboundRouteName(group.label, group.port) }
      : { clusters: clustersOf(snapshot, first) }),
  }));
}

/** Where requests to a port go: to the backends of its split, else to itself. */
export function clustersOf(snapshot: MeshSnapshot, port: PortModel): readonly WeightedCluster[] {
  return splitOf(snapshot, port)?.clusters ?? [{ cluster: port.cluster, weight: 100 }];
}

function routeView(snapshot: MeshSnapshot, group: ChainGroup, isSameNamespace: boolean): OutboundRouteView {
  const [first] = group.claimants;
  const inputs = [...group.claimants, ...group.claimants.map((claimant) => splitOf(snapshot, claimant))];
  return snapshot.memory.remember(first, `route ${group.label} ${isSameNamespace}`, inputs, () => ({
    kind: "outbound-route",
    name: outboundRouteName(group.label, group.port),
    virtualHosts: virtualHosts(snapshot, group, isSameNamespace),
  }));
}

/** Envoy refuses a route configuration in which a domain occurs twice; the claimant that comes first has it. */
function virtualHosts(snapshot: MeshSnapshot, group: ChainGroup, isSameNamespace: boolean): OutboundVirtualHost[] {
  const taken = new Set<string>();
  const hosts: OutboundVirtualHost[] = [];
  for (const claimant of group.claimants) {
    const names = hostNames(claimant, [claimant.port], { ...snapshot.options, isSameNamespace });
    const domains = names.filter((domain) => !taken.has(domain));
    for (const domain of domains) taken.add(domain);
    if (domains.length === 0) continue;
    hosts.push({
      name: `outbound_virtual-host|${claimant.fqdn}`,
      domains,
      clusters: clustersOf(snapshot, claimant),
    });
  }
  return hosts;
}
