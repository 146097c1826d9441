/**
 * Names that this room gives to parts of Envoy's configuration. Names of clusters, routes, chains and virtual hosts arrive
 * in the view, made where services are known.
 */

/** Type URLs of the resources that are generated here (Envoy API v3). */
export const RESOURCE_TYPE_URLS = {
  cluster: "type.googleapis.com/envoy.config.cluster.v3.Cluster",
  endpoints: "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
  listener: "type.googleapis.com/envoy.config.listener.v3.Listener",
  route: "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
} as const;

/** Ports on which a sidecar listens; the interception rules know them too. */
export const PROXY_PORTS = {
  admin: 15000,
  outbound: 15001,
  inbound: 15003,
  metrics: 15010,
  liveness: 15901,
  readiness: 15902,
  startup: 15903,
} as const;

/** Extensions by the names under which Envoy registers them. */
export const EXTENSIONS = {
  directResponse: "envoy.filters.network.direct_response",
  stdoutAccessLog: "envoy.access_loggers.stdout",
  httpConnectionManager: "envoy.filters.network.http_connection_manager",
  httpProtocolOptions: "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
  httpRbac: "envoy.filters.http.rbac",
  networkRbac: "envoy.filters.network.rbac",
  originalDst: "envoy.filters.listener.original_dst",
  previousHosts: "envoy.retry_host_predicates.previous_hosts",
  router: "envoy.filters.http.router",
  tcpProxy: "envoy.filters.network.tcp_proxy",
  tls: "envoy.transport_sockets.tls",
  tlsInspector: "envoy.filters.listener.tls_inspector",
} as const;

/** Secrets have the same two names for every proxy, so that a cluster's bytes do not depend on who asks. */
export const SECRETS = { serviceCertificate: "service-cert", trustBundle: "root-cert" } as const;

/** Filter chains for what no service claims. */
export const DEFAULT_CHAINS = {
  /** Destinations outside the mesh pass. OSM's name. */
  egress: "outbound-egress-filter-chain",
  /** The connection is closed at once. */
  refused: "refused",
} as const;

/** Key of the one RBAC policy of a route. OSM's name. */
export const ROUTE_POLICY = "rbac-for-route";

/**
 * A DNS name that no certificate of the mesh carries: workloads' have three labels and more, and RFC 6761 reserves
 * `.invalid`. Envoy reads an empty list of accepted names as "all".
 */
export const NOBODY = "nobody.invalid";

/** Kinds of probes, as the fields of a container name them. */
export const PROBE_KINDS = ["liveness", "readiness", "startup"] as const;
export type ProbeKind = (typeof PROBE_KINDS)[number];

/** `<container>_<kind>_cluster`: the static cluster behind a rewritten probe. */
export function probeClusterName(kind: ProbeKind, container: string): string {
  return `${container}_${kind}_cluster`;
}

/** The path that a rewritten HTTP probe asks for: `/osm-<kind>-probe/<container>`. */
export function probePath(kind: ProbeKind, container: string): string {
  return `/osm-${kind}-probe/${container}`;
}

/** Inverse of {@link probePath}; undefined for any other path. */
export function parseProbePath(path: string): { readonly kind: ProbeKind; readonly container: string } | undefined {
  const [, kind, container] = /^\/osm-(liveness|readiness|startup)-probe\/([^/]+)$/.exec(path) ?? [];
  if (kind === undefined || container === undefined) return undefined;
  return { kind: kind as ProbeKind, container };
}

/** Inverse of {@link probeClusterName}; undefined for any other cluster. */
export function parseProbeClusterName(
  name: string,
): { readonly kind: ProbeKind; readonly container: string } | undefined {
  const [, container, kind] = /^(.+)_(liveness|readiness|startup)_cluster$/.exec(name) ?? [];
  if (kind === undefined || container === undefined) return undefined;
  return { kind: kind as ProbeKind, container };
}
