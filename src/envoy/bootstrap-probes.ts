import { EXTENSIONS, PROBE_KINDS, PROXY_PORTS, type ProbeKind, probeClusterName, probePath } from "./names.ts";

/**
 * Listeners that pass the kubelet's probes on to the application: mTLS would refuse them at its own port.
 * Plain JSON, as all of the bootstrap.
 */

/** An HTTP probe, asked for at `/osm-<kind>-probe/<container>`. */
export interface HttpProbe {
  readonly scheme: "HTTP";
  readonly container: string;
  /** The application's own path, with its query. */
  readonly path: string;
  readonly port: number;
  readonly timeoutSeconds: number;
}
/** An HTTPS probe. Its path cannot be seen, so that a pod has room for one of each kind: the last one stands, as in OSM. */
export interface HttpsProbe {
  readonly scheme: "HTTPS";
  readonly container: string;
  readonly port: number;
}
export type Probe = HttpProbe | HttpsProbe;

type Probes = Readonly<Partial<Record<ProbeKind, readonly Probe[]>>>;

/** `liveness_listener`, `readiness_listener`, `startup_listener`: those that have something to ask. */
export function probeListeners(probes: Probes): object[] {
  return PROBE_KINDS.filter((kind) => (probes[kind] ?? []).length > 0).map((kind) =>
    listener(kind, probes[kind] ?? []),
  );
}

/** One static cluster for each probe's port of the application. */
export function probeClusters(probes: Probes): object[] {
  return PROBE_KINDS.flatMap((kind) =>
    (probes[kind] ?? []).map((probe) => {
      const name = probeClusterName(kind, probe.container);
      const address = { socket_address: { address: "127.0.0.1", port_value: probe.port } };
      return {
        name,
        type: "STATIC",
        connect_timeout: "1s",
        load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
      };
    }),
  );
}

function listener(kind: ProbeKind, probes: readonly Probe[]): object {
  const http = probes.filter((probe) => probe.scheme === "HTTP");
  const https = probes.findLast((probe) => probe.scheme === "HTTPS");
  return {
    name: `${kind}_listener`,
    address: { socket_address: { address: "0.0.0.0", port_value: PROXY_PORTS[kind] } },
    ...(https === undefined ? {} : { listener_filters: [TLS_INSPECTOR] }),
    filter_chains: [
      ...(https === undefined ? [] : [httpsChain(kind, https)]),
      ...(http.length === 0 ? [] : [httpChain(kind, http)]),
    ],
  };
}

const TLS_INSPECTOR = {
  name: EXTENSIONS.tlsInspector,
  typed_config: {
    "@type": "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
  },
};

function httpsChain(kind: ProbeKind, probe: HttpsProbe): object {
  return {
    filter_chain_match: { transport_protocol: "tls" },
    filters: [
      {
        name: EXTENSIONS.tcpProxy,
        typed_config: {
          "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
          stat_prefix: "health_probes_https",
          cluster: probeClusterName(kind, probe.container),
        },
      },
    ],
  };
}

function httpChain(kind: ProbeKind, probes: readonly HttpProbe[]): object {
  return {
    filters: [
      {
        name: EXTENSIONS.httpConnectionManager,
        typed_config: {
          "@type":
            "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
          stat_prefix: "health_probes_http",
          route_config: {
            name: "local_route",
            virtual_hosts: [
              { name: "local_service", domains: ["*"], routes: probes.map((probe) => probeRoute(kind, probe)) },
            ],
          },
          http_filters: [
            {
              name: EXTENSIONS.router,
              typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
            },
          ],
        },
      },
    ],
  };
}

/** The path is matched whole: the name of one container may be the beginning of another's. */
function probeRoute(kind: ProbeKind, probe: HttpProbe): object {
  return {
    match: { path: probePath(kind, probe.container) },
    route: {
      cluster: probeClusterName(kind, probe.container),
      prefix_rewrite: probe.path,
      timeout: `${probe.timeoutSeconds}s`,
    },
  };
}
