import { type ChainGroup, chainGroups } from "./chain-groups.ts";
import { compareText } from "./precedence.ts";
import { hostNames, outboundChainName, outboundRouteName, principalName } from "./resource-names.ts";
import { type EndpointModel, isHttp, type PortModel } from "./service-model.ts";
import type { MeshSnapshot } from "./snapshot.ts";
import type {
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
import { allVisiblePorts, grantedPorts, splitOf, type VisiblePort } from "./visible-services.ts";

/** Everything outbound that does not depend on the client's namespace. */
interface OutboundBase {
  readonly resources: readonly ResourceView[];
  readonly routed: readonly ChainGroup[];
}

/**
 * Clusters, endpoints, listener and routes by which workloads of this identity call others; the same list as before
 * when nothing in it differs.
 */
export function outboundResources(snapshot: MeshSnapshot, identity: Identity): readonly ResourceView[] {
  const { isPermissive } = snapshot.settings;
  // In permissive mode a client's namespace alone decides, by the short host names.
  const owner = isPermissive ? identity.namespace : `${identity.namespace}/${identity.serviceAccount}`;
  return snapshot.once(`outbound ${owner}`, () => {
    const base = isPermissive
      ? snapshot.once("permissive outbound", () => outboundBase(snapshot, "", allVisiblePorts(snapshot)))
      : outboundBase(snapshot, owner, grantedPorts(snapshot, identity));
    const routes = base.routed.map((group) => routeView(snapshot, group, group.namespace === identity.namespace));
    const resources = [...base.resources, ...routes];
    return snapshot.memory.rememberNamed(`outbound ${owner}`, resources, () => resources);
  });
}

function outboundBase(snapshot: MeshSnapshot, owner: string, visible: readonly VisiblePort[]): OutboundBase {
  const groups = chainGroups(
    snapshot.claims,
    visible.filter(({ hasChain }) => hasChain).map(({ port }) => port),
  );
  const listener = listenerView(snapshot, owner, groups);
  const clusters = new Map<string, ResourceView>();
  const endpoints = new Map<string, ResourceView>();
  for (const { cluster, port, accounts } of byCluster(visible)) {
    clusters.set(cluster, clusterView(snapshot, port));
    endpoints.set(cluster, endpointsView(snapshot, port, accounts));
  }
  const fixed: ResourceView[] = [];
  if (listener !== undefined) fixed.push(listener);
  if (snapshot.settings.isEgressEnabled) fixed.push(PASSTHROUGH);
  return {
    resources: [...fixed, ...clusters.values(), ...endpoints.values()],
    routed: groups.filter((group) => isHttp(group.protocol)),
  };
}

const PASSTHROUGH: ResourceView = { kind: "passthrough-cluster", name: "passthrough-outbound" };

/** Several ports with one target port have one cluster; who may use any of them gets the endpoints of all their grants. */
function byCluster(visible: readonly VisiblePort[]): Iterable<VisiblePort & { readonly cluster: string }> {
  const found = new Map<string, VisiblePort & { readonly cluster: string }>();
  for (const entry of visible) {
    const { cluster } = entry.port;
    const known = found.get(cluster);
    if (known === undefined) found.set(cluster, { ...entry, cluster });
    else if (known.accounts !== undefined && entry.accounts !== undefined) {
      found.set(cluster, { ...known, accounts: [...new Set([...known.accounts, ...entry.accounts])].sort() });
    }
  }
  return found.values();
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
  return snapshot.memory.rememberNamed(`outbound-listener ${owner}`, [isEgressEnabled, ...chains], () => ({
    kind: "outbound-listener",
    name: "outbound-listener",
    chains: [...chains].sort((left, right) => compareText(left.name, right.name)),
    serverFirstPorts: [
      ...new Set(groups.filter(({ protocol }) => protocol === "tcp-server-first").map(({ port }) => port)),
    ].sort((left, right) => left - right),
    isEgressEnabled,
  }));
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
