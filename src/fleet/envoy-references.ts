import { envoy } from "../../proto/gen/envoy.js";

const { Cluster } = envoy.config.cluster.v3;
const { ClusterLoadAssignment } = envoy.config.endpoint.v3;
const { Listener } = envoy.config.listener.v3;
const { RouteConfiguration } = envoy.config.route.v3;
const { HttpConnectionManager } = envoy.extensions.filters.network.http_connection_manager.v3;
const { TcpProxy } = envoy.extensions.filters.network.tcp_proxy.v3;
const { DownstreamTlsContext, Secret, UpstreamTlsContext } = envoy.extensions.transport_sockets.tls.v3;

type TransportSocket = envoy.config.core.v3.TransportSocket.$Properties;
type SecretConfig = envoy.extensions.transport_sockets.tls.v3.SdsSecretConfig.$Properties;
type ConfigSource = envoy.config.core.v3.ConfigSource.$Properties;
type RouteTable = envoy.config.route.v3.RouteConfiguration.$Properties;

const TYPE_PREFIX = "type.googleapis.com/envoy.extensions.";
const HTTP = `${TYPE_PREFIX}filters.network.http_connection_manager.v3.HttpConnectionManager`;
const TCP = `${TYPE_PREFIX}filters.network.tcp_proxy.v3.TcpProxy`;
const UPSTREAM_TLS = `${TYPE_PREFIX}transport_sockets.tls.v3.UpstreamTlsContext`;
const DOWNSTREAM_TLS = `${TYPE_PREFIX}transport_sockets.tls.v3.DownstreamTlsContext`;
const EDS = 3;
const NOTHING = new Uint8Array();

/** What a resource makes Envoy ask for, over the same stream, and which clusters it leads to. */
export interface References {
  readonly endpoints: readonly string[];
  readonly secrets: readonly string[];
  readonly routes: readonly string[];
  readonly clusters: readonly string[];
}

const NO_REFERENCES: References = { endpoints: [], secrets: [], routes: [], clusters: [] };

/** Throws what protobufjs throws for bytes that are not such a message. */
export function clusterReferences(bytes: Uint8Array): References {
  const cluster = Cluster.decode(bytes);
  const isEds = cluster.type === EDS && isOverAds(cluster.edsClusterConfig?.edsConfig);
  const sockets = [cluster.transportSocket, ...cluster.transportSocketMatches.map((match) => match.transportSocket)];
  return {
    ...NO_REFERENCES,
    endpoints: isEds ? [cluster.edsClusterConfig?.serviceName || cluster.name] : [],
    secrets: sockets.flatMap((socket) => secretsOf(socket)),
  };
}

export function listenerReferences(bytes: Uint8Array): References {
  const listener = Listener.decode(bytes);
  const chains = [...listener.filterChains, ...(listener.defaultFilterChain ? [listener.defaultFilterChain] : [])];
  const routes = new Set<string>();
  const clusters = new Set<string>();
  for (const { typedConfig } of chains.flatMap(({ filters }) => filters ?? [])) {
    const value = typedConfig?.value ?? NOTHING;
    if (typedConfig?.type_url === HTTP) {
      const { rds, routeConfig } = HttpConnectionManager.decode(value);
      if (rds?.routeConfigName && isOverAds(rds.configSource)) routes.add(rds.routeConfigName);
      if (routeConfig) for (const cluster of clustersOf(routeConfig)) clusters.add(cluster);
    } else if (typedConfig?.type_url === TCP) {
      const { cluster, weightedClusters } = TcpProxy.decode(value);
      if (cluster) clusters.add(cluster);
      for (const { name } of weightedClusters?.clusters ?? []) if (name) clusters.add(name);
    }
  }
  const secrets = new Set(chains.flatMap(({ transportSocket }) => secretsOf(transportSocket)));
  return { endpoints: [], secrets: [...secrets], routes: [...routes], clusters: [...clusters] };
}

/** Lead nowhere; read for what it throws alone. */
export function endpointReferences(bytes: Uint8Array): References {
  ClusterLoadAssignment.decode(bytes);
  return NO_REFERENCES;
}

/** As those of endpoints. */
export function secretReferences(bytes: Uint8Array): References {
  Secret.decode(bytes);
  return NO_REFERENCES;
}

export function routeReferences(bytes: Uint8Array): References {
  return { ...NO_REFERENCES, clusters: clustersOf(RouteConfiguration.decode(bytes)) };
}

function clustersOf(table: RouteTable): readonly string[] {
  const clusters = new Set<string>();
  for (const { route } of (table.virtualHosts ?? []).flatMap(({ routes }) => routes ?? [])) {
    if (route?.cluster) clusters.add(route.cluster);
    for (const { name } of route?.weightedClusters?.clusters ?? []) if (name) clusters.add(name);
  }
  return [...clusters];
}

function secretsOf(socket: TransportSocket | null | undefined): readonly string[] {
  const { type_url: typeUrl, value } = socket?.typedConfig ?? {};
  if (typeUrl !== UPSTREAM_TLS && typeUrl !== DOWNSTREAM_TLS) return [];
  const context = (typeUrl === UPSTREAM_TLS ? UpstreamTlsContext : DownstreamTlsContext).decode(value ?? NOTHING);
  const common = context.commonTlsContext;
  const configs: (SecretConfig | null | undefined)[] = [
    ...(common?.tlsCertificateSdsSecretConfigs ?? []),
    common?.validationContextSdsSecretConfig,
    common?.combinedValidationContext?.validationContextSdsSecretConfig,
  ];
  return configs.flatMap((config) => (config?.name && isOverAds(config.sdsConfig) ? [config.name] : []));
}

function isOverAds(source: ConfigSource | null | undefined): boolean {
  return Boolean(source?.ads) || Boolean(source?.self);
}
