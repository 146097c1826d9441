import { addressKey } from "./address-claims.ts";
import { type ChainGroup, chainGroups } from "./chain-groups.ts";
import { compareText } from "./precedence.ts";
import { hostNames, outboundChainName, outboundRouteName, principalName } from "./resource-names.ts";
import type { EndpointModel, PortModel } from "./service-model.ts";
import { isHttp } from "./service-ports.ts";
import type { MeshSnapshot } from "./snapshot.ts";
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
import { allVisiblePorts, grantedPorts, grantsFrom, splitOf, type VisiblePort } from "./visible-services.ts";

/** The outbound side of a client, apart from endpoints. */
interface OutboundStructure {
  /** Listener and clusters. */
  readonly fixed: readonly ResourceView[];
  /** The ports that stand for the clusters, one each. */
  readonly clustered: readonly VisiblePort[];
  readonly routed: readonly ChainGroup[];
}

/**
 * Clusters, endpoints, listener and routes by which workloads of this identity call others; the same list as before
 * when nothing in it differs.
 */
export function outboundResources(snapshot: MeshSnapshot, identity: Identity): readonly ResourceView[] {
  const { memory, settings } = snapshot;
  const { isPermissive } = settings;
  // In permissive mode a client's namespace alone decides, by the short host names.
  const owner = isPermissive ? identity.namespace : `${identity.namespace}/${identity.serviceAccount}`;
  const visibility = isPermissive ? "" : owner;
  return snapshot.derived.once(`outbound ${owner}`, () => {
    const structure = outboundStructure(snapshot, identity, visibility);
    const routes = memory.rememberNamed(`outbound-routes ${owner}`, [snapshot.structure, structure], () =>
      structure.routed.map((group) => routeView(snapshot, group, group.namespace === identity.namespace)),
    );
    const endpoints = snapshot.derived.once(`outbound-endpoints ${visibility}`, () => {
      const views = structure.clustered.map(({ port, accounts }) => endpointsView(snapshot, port, accounts));
      return memory.rememberNamed(`outbound-endpoints ${visibility}`, views, () => views);
    });
    return memory.rememberNamed(`outbound ${owner}`, [structure, endpoints, routes], () => [
      ...structure.fixed,
      ...endpoints,
      ...routes,
    ]);
  });
}

function outboundStructure(snapshot: MeshSnapshot, identity: Identity, visibility: string): OutboundStructure {
  const grants = grantsFrom(snapshot, identity);
  return snapshot.memory.rememberNamed(`outbound-structure ${visibility}`, [snapshot.structure, ...grants], () => {
    const visible = snapshot.settings.isPermissive ? allVisiblePorts(snapshot) : grantedPorts(snapshot, identity);
    const groups = visibleGroups(snapshot, visible);
    const listener = listenerView(snapshot, visibility, groups);
    const clustered = byCluster(visible);
    return {
      fixed: [
        ...(listener === undefined ? [] : [listener]),
        ...(snapshot.settings.isEgressEnabled ? [PASSTHROUGH] : []),
        ...clustered.map(({ port }) => clusterView(snapshot, port)),
      ],
      clustered,
      routed: groups.filter((group) => isHttp(group.protocol)),
    };
  });
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

/** The endpoints that a client with these rights gets; without a known account an endpoint is served to all or none. */
function endpointsView(
  snapshot: MeshSnapshot,
  port: PortModel,
  accounts: readonly string[] | undefined,
): EndpointsView {
  const service = snapshot.namespaces.get(port.namespace)?.services.get(port.service);
  const known = service?.endpoints.get(port.cluster) ?? NO_ENDPOINTS;
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
  const refused = snapshot.memory.rememberNamed(`outbound-refused ${owner}`, [snapshot.structure, ...chains], () =>
    refusedMatches(snapshot, chains),
  );
  return snapshot.memory.rememberNamed(`outbound-listener ${owner}`, [isEgressEnabled, refused, ...chains], () => ({
    kind: "outbound-listener",
    name: "outbound-listener",
    chains: [...chains].sort((left, right) => compareText(left.name, right.name)),
    isEgressEnabled,
    refused,
  }));
}

/**
 * Plain TCP ports of the mesh that the client may not call, where egress would pass it through: its connection would wait
 * at the server's sidecar for a TLS hello, and a client that waits for a banner says nothing. Only where every pod has a
 * sidecar: behind others nobody decides, and egress means them.
 */
function refusedMatches(snapshot: MeshSnapshot, chains: readonly OutboundChain[]): readonly AddressMatch[] {
  const { isEgressEnabled, isPermissive } = snapshot.settings;
  if (isPermissive || !isEgressEnabled) return [];
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
