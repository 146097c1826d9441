/** What the oracle reads out of a resource. Decoded with the complete protos: what an Envoy would see. */
import { envoy } from "../../proto/gen/envoy.js";
import { linesOfMessage } from "./oracle-lines.ts";
import { UNDIVIDED } from "./oracle-names.ts";

const { Cluster } = envoy.config.cluster.v3;
const { ClusterLoadAssignment } = envoy.config.endpoint.v3;
const { RouteConfiguration } = envoy.config.route.v3;
const { RBACPerRoute } = envoy.extensions.filters.http.rbac.v3;
const { UpstreamTlsContext } = envoy.extensions.transport_sockets.tls.v3;

const HTTP_RBAC = "envoy.filters.http.rbac";

/** Addresses of an endpoint resource, each with its port and what keeps requests from it, in ascending order. */
export function addressesOf(bytes: Uint8Array): readonly string[] {
  const found: string[] = [];
  for (const locality of ClusterLoadAssignment.decode(bytes).endpoints) {
    for (const endpoint of locality.lbEndpoints ?? []) {
      const address = endpoint.endpoint?.address?.socketAddress;
      if (!address?.address) continue;
      const health = endpoint.healthStatus ? ` of health ${endpoint.healthStatus}` : "";
      const priority = locality.priority ? ` of priority ${locality.priority}` : "";
      found.push(`${address.address}:${address.portValue ?? 0}${health}${priority}`);
    }
  }
  return found.sort();
}

/** Names whose certificates a cluster's servers may show, in ascending order. */
export function peersOf(bytes: Uint8Array): readonly string[] {
  const context = Cluster.decode(bytes).transportSocket?.typedConfig?.value;
  if (!context) return [];
  const validation = UpstreamTlsContext.decode(context).commonTlsContext?.combinedValidationContext;
  const names = validation?.defaultValidationContext?.matchTypedSubjectAltNames ?? [];
  return names.map(({ matcher }) => matcher?.exact ?? "").sort();
}

/** Weights by cluster of a route configuration, all its routes together. */
export function weightsOf(bytes: Uint8Array): ReadonlyMap<string, number> {
  const weights = new Map<string, number>();
  for (const host of RouteConfiguration.decode(bytes).virtualHosts) {
    for (const { route } of host.routes ?? []) {
      if (route?.cluster) weights.set(route.cluster, UNDIVIDED);
      for (const cluster of route?.weightedClusters?.clusters ?? []) {
        weights.set(cluster.name ?? "", cluster.weight?.value ?? 0);
      }
    }
  }
  return weights;
}

/** Path expressions of a route configuration's routes, all together, in ascending order; undefined when one takes any path. */
export function pathsOf(bytes: Uint8Array): readonly string[] | undefined {
  const found = new Set<string>();
  for (const host of RouteConfiguration.decode(bytes).virtualHosts) {
    for (const { match } of host.routes ?? []) {
      if (!match?.safeRegex) return undefined;
      found.add(match.safeRegex.regex ?? "");
    }
  }
  return [...found].sort();
}

/** Whom the routes of a route configuration let through, in ascending order; undefined when one lets everybody through. */
export function principalsOf(bytes: Uint8Array): readonly string[] | undefined {
  const found = new Set<string>();
  for (const host of RouteConfiguration.decode(bytes).virtualHosts) {
    for (const route of host.routes ?? []) {
      const rules = route.typedPerFilterConfig?.[HTTP_RBAC]?.value;
      if (rules === undefined || rules === null) return undefined;
      const { policies } = RBACPerRoute.decode(rules).rbac?.rules ?? {};
      for (const policy of Object.values(policies ?? {})) {
        for (const principal of policy.principals ?? []) {
          found.add(principal.authenticated?.principalName?.exact ?? linesOfMessage(principal).join(", "));
        }
      }
    }
  }
  return [...found].sort();
}
