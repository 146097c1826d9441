import type { ChainGroup } from "./chain-groups.ts";
import { keepElements } from "./content-equality.ts";
import { clustersOf, type OutboundOwner, outboundOf } from "./outbound-ports.ts";
import { hostNames, outboundRouteName } from "./resource-names.ts";
import type { MeshSnapshot } from "./snapshot.ts";
import type { SplitPolicy } from "./split-policy.ts";
import type { OutboundRouteView, OutboundVirtualHost, ResourceView } from "./view.ts";
import { splitOf } from "./visible-services.ts";

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
