import { addressKey } from "./address-claims.ts";
import type { ChainGroup } from "./chain-groups.ts";
import { keepElements } from "./content-equality.ts";
import { clustersOf, type OutboundOwner, outboundOf } from "./outbound-ports.ts";
import { compareText } from "./precedence.ts";
import { outboundChainName, outboundRouteName, principalName } from "./resource-names.ts";
import type { EndpointModel, PortModel } from "./service-model.ts";
import { isHttp } from "./service-ports.ts";
import type { MeshSnapshot } from "./snapshot.ts";
import type {
  AddressMatch,
  EndpointsView,
  OutboundChain,
  OutboundListenerView,
  ResourceView,
  UpstreamClusterView,
} from "./view.ts";
import { splitOf, type VisiblePort } from "./visible-services.ts";

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

const PASSTHROUGH: ResourceView = { kind: "passthrough-cluster", name: "passthrough-outbound" };

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
