import { envoy } from "../../proto/gen/resources.js";
import type { LocalClusterView, MetricsClusterView, PassthroughClusterView, UpstreamClusterView } from "../mesh/mod.ts";
import { FROM_ADS } from "./ads.ts";
import { packAny } from "./any.ts";
import { EXTENSIONS, PROXY_PORTS } from "./names.ts";
import { upstreamTls } from "./tls-contexts.ts";

const { Cluster } = envoy.config.cluster.v3;
const { HttpProtocolOptions } = envoy.extensions.upstreams.http.v3;

type ClusterMessage = envoy.config.cluster.v3.Cluster.$Properties;

const UNLIMITED = { value: 2 ** 32 - 1 };

/** Envoy's own limits (1,024 connections and requests) would refuse work that the application could take. */
const NO_LIMITS: envoy.config.cluster.v3.CircuitBreakers.$Properties = {
  thresholds: [
    {
      maxConnections: UNLIMITED,
      maxPendingRequests: UNLIMITED,
      maxRequests: UNLIMITED,
      maxRetries: UNLIMITED,
      trackRemaining: true,
    },
  ],
};

/** HTTP/1 stays HTTP/1 and HTTP/2 stays HTTP/2 on its way to the next hop; TCP does not read this. */
const SAME_PROTOCOL = {
  [EXTENSIONS.httpProtocolOptions]: packAny(
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
    HttpProtocolOptions,
    { useDownstreamProtocolConfig: { httpProtocolOptions: {}, http2ProtocolOptions: {} } },
  ),
};

/** A service of the mesh; its endpoints are a resource of the same name. */
export function upstreamCluster(view: UpstreamClusterView): ClusterMessage {
  return {
    name: view.name,
    type: Cluster.DiscoveryType.EDS,
    edsClusterConfig: { edsConfig: FROM_ADS },
    circuitBreakers: NO_LIMITS,
    typedExtensionProtocolOptions: SAME_PROTOCOL,
    transportSocket: upstreamTls(view),
  };
}

/** The application beside this proxy. */
export function localCluster(view: LocalClusterView): ClusterMessage {
  return {
    ...loopbackCluster(view.name, view.port),
    circuitBreakers: NO_LIMITS,
    typedExtensionProtocolOptions: SAME_PROTOCOL,
  };
}

/** Whatever address the application dialled, as it is. */
export function passthroughCluster(view: PassthroughClusterView): ClusterMessage {
  return {
    name: view.name,
    type: Cluster.DiscoveryType.ORIGINAL_DST,
    lbPolicy: Cluster.LbPolicy.CLUSTER_PROVIDED,
    circuitBreakers: NO_LIMITS,
  };
}

/** The proxy's own statistics, for the metrics listener. */
export function metricsCluster(view: MetricsClusterView): ClusterMessage {
  return loopbackCluster(view.name, PROXY_PORTS.admin);
}

function loopbackCluster(name: string, portValue: number): ClusterMessage {
  const address = { socketAddress: { address: "127.0.0.1", portValue } };
  return {
    name,
    type: Cluster.DiscoveryType.STATIC,
    loadAssignment: { clusterName: name, endpoints: [{ lbEndpoints: [{ endpoint: { address } }] }] },
  };
}
