/**
 * Clusters, listeners and routes as they have to be, as lines (`oracle-lines.ts`): a second opinion on what
 * `docs/envoy-configuration.md` and `docs/policy.md` say, with none of the control plane's code.
 */
import { envoy } from "../../proto/gen/envoy.js";
import { EXTENSION, linesOf, linesOfMessage } from "./oracle-lines.ts";
import {
  clusterOf,
  INBOUND_LISTENER,
  INBOUND_ROUTE,
  LEAF_SECRET,
  OUTBOUND_LISTENER,
  outboundRouteOf,
  PASSTHROUGH_CLUSTER,
  ROOT_SECRET,
  TYPE_URL,
} from "./oracle-names.ts";
import type { World } from "./world.ts";
import { SERVICE_PORT, SETTINGS, serviceAddress, serviceName, TARGET_PORT, WRITE_PATH } from "./world-objects.ts";

const { Cluster } = envoy.config.cluster.v3;
const { FilterChain, Listener } = envoy.config.listener.v3;
const { RouteConfiguration } = envoy.config.route.v3;
const { RBACPerRoute } = envoy.extensions.filters.http.rbac.v3;
const { HttpConnectionManager } = envoy.extensions.filters.network.http_connection_manager.v3;
const { TcpProxy } = envoy.extensions.filters.network.tcp_proxy.v3;
const { DownstreamTlsContext, UpstreamTlsContext } = envoy.extensions.transport_sockets.tls.v3;

const OUTBOUND_PORT = 15001;
const INBOUND_PORT = 15003;
const IN_MESH = "osm";
const TLS_VERSIONS: Readonly<Record<string, number>> = { TLSv1_0: 1, TLSv1_1: 2, TLSv1_2: 3, TLSv1_3: 4 };
const EDS = 3;
const ORIGINAL_DST = 4;
const CLUSTER_PROVIDED = 6;
const SAN_DNS = 2;
const INBOUND = 1;
const OUTBOUND = 2;
const OVER_ADS = { ads: {}, resourceApiVersion: 2 };
const EXTENSIONS = "type.googleapis.com/envoy.extensions.filters.";

type Lines = readonly string[];

interface Encoder {
  readonly encode: (message: never) => { finish(): Uint8Array };
}

const encoded = (type: Encoder, message: object) => type.encode(message as never).finish();
const packed = (url: string, type: Encoder, message: object) => ({ type_url: url, value: encoded(type, message) });
const nameOf = (world: World, service: number) => `${serviceName(service)}.${world.namespace(service)}`;
const fqdnOf = (world: World, service: number) => `${nameOf(world, service)}.svc.cluster.local`;

/** The cluster of a service, for those that may call it. */
export function clusterLines(world: World, service: number, peers: readonly string[]): Lines {
  const name = clusterOf(world, service);
  const matchTypedSubjectAltNames = peers.map((exact) => ({ sanType: SAN_DNS, matcher: { exact } }));
  const context = {
    sni: fqdnOf(world, service),
    commonTlsContext: {
      ...certificates(world),
      alpnProtocols: [IN_MESH],
      combinedValidationContext: {
        defaultValidationContext: { matchTypedSubjectAltNames },
        validationContextSdsSecretConfig: { name: ROOT_SECRET, sdsConfig: OVER_ADS },
      },
    },
  };
  const transportSocket = tls(EXTENSION.upstreamTls, UpstreamTlsContext, context);
  const cluster = { name, type: EDS, edsClusterConfig: { edsConfig: OVER_ADS }, transportSocket };
  return linesOf(TYPE_URL.cluster, encoded(Cluster, cluster));
}

/** The application beside the proxy. */
export function localClusterLines(world: World, service: number): Lines {
  const name = `${clusterOf(world, service)}|local`;
  const address = { socketAddress: { address: "127.0.0.1", portValue: TARGET_PORT } };
  const loadAssignment = { clusterName: name, endpoints: [{ lbEndpoints: [{ endpoint: { address } }] }] };
  return linesOf(TYPE_URL.cluster, encoded(Cluster, { name, loadAssignment }));
}

export function passthroughClusterLines(): Lines {
  const cluster = { name: PASSTHROUGH_CLUSTER, type: ORIGINAL_DST, lbPolicy: CLUSTER_PROVIDED };
  return linesOf(TYPE_URL.cluster, encoded(Cluster, cluster));
}

/** Routes to a service; `isNear`: for callers of its namespace, who may leave the namespace out. */
export function outboundRouteLines(
  world: World,
  { service, weights, isNear }: { service: number; weights: ReadonlyMap<string, number>; isNear: boolean },
): Lines {
  const clusters = [...weights].map(([name, value]) => ({ name, weight: { value } }));
  const route = clusters.length === 1 ? { cluster: clusters[0]?.name } : { weightedClusters: { clusters } };
  const host = {
    name: `outbound_virtual-host|${fqdnOf(world, service)}`,
    domains: domainsOf(world, service, isNear),
    routes: [{ match: { prefix: "" }, route }],
  };
  const name = outboundRouteOf(world, service);
  return linesOf(TYPE_URL.route, encoded(RouteConfiguration, { name, virtualHosts: [host] }));
}

/** Routes to the application itself, also for requests to `services` of whose split it is a part. */
export function inboundRouteLines(world: World, services: Iterable<number>, own: number, callers: number): Lines {
  const virtualHosts = [...services].map((service) => ({
    name: `inbound_virtual-host|${fqdnOf(world, service)}`,
    domains: domainsOf(world, service, true),
    routes: inboundRoutes(world, `${clusterOf(world, service)}|local`, own, callers),
  }));
  return linesOf(TYPE_URL.route, encoded(RouteConfiguration, { name: INBOUND_ROUTE, virtualHosts }));
}

function inboundRoutes(world: World, cluster: string, own: number, callers: number): readonly object[] {
  if (world.isPermissive) return [{ match: { prefix: "" }, route: { cluster } }];
  // Without a policy there is nobody for whom there could be a route.
  if (callers === 0) return [];
  // Who they are is compared by name.
  const principals = Array.from({ length: callers }, () => ({ any: true }));
  const policies = { "rbac-for-route": { permissions: [{ any: true }], principals } };
  const typedPerFilterConfig = {
    "envoy.filters.http.rbac": packed(EXTENSION.routeRules, RBACPerRoute, { rbac: { rules: { policies } } }),
  };
  const method = (exact: string) => ({ name: ":method", stringMatch: { exact } });
  const path = (regex: string) => ({ safeRegex: { regex } });
  const client = { name: "x-client", stringMatch: path(".+") };
  return [
    {
      match: { ...path(`${world.pathOf(own)}/.*`), headers: [method("GET")] },
      route: { cluster },
      typedPerFilterConfig,
    },
    { match: { ...path(WRITE_PATH), headers: [method("POST"), client] }, route: { cluster }, typedPerFilterConfig },
  ];
}

/** The part of the outbound listener that leads to a service; not in order. */
export function outboundChainLines(world: World, service: number): Lines {
  const routes = outboundRouteOf(world, service);
  return linesOfMessage({
    filterChains: [
      FilterChain.decode(
        encoded(FilterChain, {
          name: `outbound_${world.namespace(service)}/${serviceName(service)}_${SERVICE_PORT}_http`,
          filterChainMatch: {
            prefixRanges: [{ addressPrefix: serviceAddress(service), prefixLen: { value: 32 } }],
            destinationPort: { value: SERVICE_PORT },
          },
          filters: [http({ rds: { configSource: OVER_ADS, routeConfigName: routes }, httpFilters: [ROUTER] })],
        }),
      ),
    ],
  });
}

/** The outbound listener with the chains of all services to which it leads. */
export function outboundListenerLines(chains: readonly Lines[], passesOut: boolean): Lines {
  const proxy = packed(EXTENSION.tcp, TcpProxy, { cluster: PASSTHROUGH_CLUSTER });
  const passing = {
    name: "outbound-egress-filter-chain",
    filters: [{ name: "envoy.filters.network.tcp_proxy", typedConfig: proxy }],
  };
  const listener = {
    name: OUTBOUND_LISTENER,
    address: everyAddress(OUTBOUND_PORT),
    trafficDirection: OUTBOUND,
    listenerFilters: [
      extension("envoy.filters.listener.original_dst", `${EXTENSIONS}listener.original_dst.v3.OriginalDst`),
    ],
    defaultFilterChain: passesOut ? passing : REFUSING,
  };
  return [...linesOf(TYPE_URL.listener, encoded(Listener, listener)), ...chains.flat()].sort();
}

export function inboundListenerLines(world: World, service: number): Lines {
  const context = {
    requireClientCertificate: { value: true },
    commonTlsContext: {
      ...certificates(world),
      validationContextSdsSecretConfig: { name: ROOT_SECRET, sdsConfig: OVER_ADS },
    },
  };
  const chain = {
    name: `inbound_${world.namespace(service)}/${serviceName(service)}_${TARGET_PORT}_http`,
    filterChainMatch: {
      destinationPort: { value: TARGET_PORT },
      transportProtocol: "tls",
      applicationProtocols: [IN_MESH],
      serverNames: [fqdnOf(world, service)],
    },
    filters: [
      http({
        rds: { configSource: OVER_ADS, routeConfigName: INBOUND_ROUTE },
        httpFilters: [RULES, ROUTER],
        normalizePath: { value: true },
      }),
    ],
    transportSocket: tls(EXTENSION.downstreamTls, DownstreamTlsContext, context),
  };
  const listener = {
    name: INBOUND_LISTENER,
    address: everyAddress(INBOUND_PORT),
    trafficDirection: INBOUND,
    filterChains: [chain],
    listenerFilters: [
      extension("envoy.filters.listener.original_dst", `${EXTENSIONS}listener.original_dst.v3.OriginalDst`),
      extension("envoy.filters.listener.tls_inspector", `${EXTENSIONS}listener.tls_inspector.v3.TlsInspector`),
    ],
    defaultFilterChain: REFUSING,
  };
  return linesOf(TYPE_URL.listener, encoded(Listener, listener));
}

/** Every way to write a service's name that the cluster's DNS understands. */
function domainsOf(world: World, service: number, isNear: boolean): readonly string[] {
  const name = nameOf(world, service);
  const names = [name, `${name}.svc`, `${name}.svc.cluster`, `${name}.svc.cluster.local`];
  if (isNear) names.push(serviceName(service));
  return names.flatMap((each) => [each, `${each}:${SERVICE_PORT}`]);
}

function certificates({ settings }: World): object {
  const lowest = settings.get("spec.sidecar.tlsMinProtocolVersion") ?? SETTINGS["spec.sidecar.tlsMinProtocolVersion"];
  return {
    tlsParams: {
      tlsMinimumProtocolVersion: TLS_VERSIONS[String(lowest)],
      tlsMaximumProtocolVersion: TLS_VERSIONS["TLSv1_3"],
      cipherSuites: settings.get("spec.sidecar.cipherSuites") ?? [],
      ecdhCurves: settings.get("spec.sidecar.ecdhCurves") ?? [],
    },
    tlsCertificateSdsSecretConfigs: [{ name: LEAF_SECRET, sdsConfig: OVER_ADS }],
  };
}

function tls(url: string, type: Encoder, context: object): object {
  return { name: "envoy.transport_sockets.tls", typedConfig: packed(url, type, context) };
}

function http(manager: object): object {
  return {
    name: "envoy.filters.network.http_connection_manager",
    typedConfig: packed(EXTENSION.http, HttpConnectionManager, manager),
  };
}

function extension(name: string, url: string): object {
  return { name, typedConfig: { type_url: url } };
}

const ROUTER = extension("envoy.filters.http.router", `${EXTENSIONS}http.router.v3.Router`);
const RULES = extension("envoy.filters.http.rbac", `${EXTENSIONS}http.rbac.v3.RBAC`);
const REFUSING = {
  name: "refused",
  filters: [extension("envoy.filters.network.direct_response", `${EXTENSIONS}network.direct_response.v3.Config`)],
};

function everyAddress(portValue: number): object {
  return { socketAddress: { address: "0.0.0.0", portValue } };
}
