import { envoy } from "../../proto/gen/resources.js";
import type { OutboundRouteView, OutboundVirtualHost, WeightedCluster } from "../mesh/mod.ts";
import { packAny } from "./any.ts";
import { EXTENSIONS } from "./names.ts";

const { PreviousHostsPredicate } = envoy.extensions.retry.host.previous_hosts.v3;

type RouteAction = envoy.config.route.v3.RouteAction.$Properties;

/** Envoy adds up weights in 32 bits. */
const WEIGHT_SUM_MAX = 2 ** 32 - 1;

/**
 * Requests that no server has seen are tried again elsewhere: the connection could not be made, or ended (an old chain
 * being drained, a pod that is gone) before the request was sent. Safe for any method.
 */
const RETRY_UNSENT: envoy.config.route.v3.RetryPolicy.$Properties = {
  retryOn: "connect-failure,refused-stream,reset-before-request",
  numRetries: { value: 2 },
  retryHostPredicate: [
    {
      name: EXTENSIONS.previousHosts,
      typedConfig: packAny(
        "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
        PreviousHostsPredicate,
        {},
      ),
    },
  ],
  hostSelectionRetryMaxAttempts: 3,
};

/** Routes of one service and port as its clients see it: by host name, then by weight. No time limit, as in OSM. */
export function outboundRoutes(view: OutboundRouteView): envoy.config.route.v3.RouteConfiguration.$Properties {
  return {
    name: view.name,
    virtualHosts: view.virtualHosts.map(virtualHost),
    // Clusters travel on the same stream; one that is still on its way is 503, not a refused route configuration.
    validateClusters: { value: false },
  };
}

function virtualHost(host: OutboundVirtualHost): envoy.config.route.v3.VirtualHost.$Properties {
  return {
    name: host.name,
    domains: [...host.domains],
    routes: [
      { match: { prefix: "" }, route: { ...toClusters(host.clusters), timeout: {}, retryPolicy: RETRY_UNSENT } },
    ],
  };
}

function toClusters(clusters: readonly WeightedCluster[]): RouteAction {
  const [first] = clusters;
  if (clusters.length === 1 && first !== undefined) return { cluster: first.cluster };
  const sum = clusters.reduce((total, { weight }) => total + weight, 0);
  const scale = Math.min(1, WEIGHT_SUM_MAX / sum);
  return {
    weightedClusters: {
      clusters: clusters.map(({ cluster, weight }) => ({
        name: cluster,
        weight: { value: Math.floor(weight * scale) },
      })),
    },
  };
}
