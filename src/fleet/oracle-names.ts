/** What the resources of a proxy are called, by `docs/envoy-configuration.md`. */
import type { World } from "./world.ts";
import { SERVICE_PORT, serviceName, TARGET_PORT } from "./world-objects.ts";

export const TYPE_URL = {
  cluster: "type.googleapis.com/envoy.config.cluster.v3.Cluster",
  endpoints: "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
  listener: "type.googleapis.com/envoy.config.listener.v3.Listener",
  route: "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
  secret: "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
} as const;

export const INBOUND_ROUTE = `rds-inbound.${TARGET_PORT}`;
export const LEAF_SECRET = "service-cert";
export const ROOT_SECRET = "root-cert";
export const INBOUND_LISTENER = "inbound-listener";
export const OUTBOUND_LISTENER = "outbound-listener";
export const PASSTHROUGH_CLUSTER = "passthrough-outbound";

/** The weight of a cluster to which a route sends everything. */
export const UNDIVIDED = 1;

export function clusterOf(world: World, service: number): string {
  return `${world.namespace(service)}/${serviceName(service)}|${TARGET_PORT}`;
}

export function outboundRouteOf(world: World, service: number): string {
  return `rds-outbound.${world.namespace(service)}/${serviceName(service)}.${SERVICE_PORT}`;
}
