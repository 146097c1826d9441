import type { TlsSettings } from "../mesh/mod.ts";
import { ACCESS_LOG_FORMAT } from "./access-log-format.ts";
import { type Probe, probeClusters, probeListeners } from "./bootstrap-probes.ts";
import { EXTENSIONS, PROXY_PORTS, type ProbeKind } from "./names.ts";

export type { HttpProbe, HttpsProbe, Probe } from "./bootstrap-probes.ts";
export { PROBE_KINDS, PROXY_PORTS, type ProbeKind, parseProbePath, probePath } from "./names.ts";

/**
 * The files from which a sidecar starts: who it is, where its control plane is, and the answers to rewritten probes.
 * Plain JSON (which is YAML too), so that nobody who only starts proxies loads Envoy's protos.
 */

/** Everything that differs between two bootstraps. */
export interface BootstrapInput {
  /** The proxy's uuid, label `osm-proxy-uuid` of its pod. */
  readonly nodeId: string;
  /** `<service account>.<namespace>`. */
  readonly cluster: string;
  /** Where the control plane serves xDS. An IP address is dialled as it is, a name is resolved. */
  readonly xds: { readonly host: string; readonly port: number; readonly isIp: boolean };
  /** DNS SAN that the control plane's certificate must carry; also the SNI. */
  readonly controllerSan: string;
  readonly tls: TlsSettings;
  /** Roots by which the control plane is verified. */
  readonly caPem: string;
  /** The proxy's credential for the xDS stream, leaf first. */
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  /** Probes of the application that were rewritten to the proxy's ports. */
  readonly probes?: Readonly<Partial<Record<ProbeKind, readonly Probe[]>>>;
  /** Absolute path under which the proxy will find these files. Default: `/etc/envoy`. */
  readonly directory?: string;
  /** Default: 15000. */
  readonly adminPort?: number;
}

/** Names of the files, which are the keys of OSM's bootstrap secret. */
const BOOTSTRAP_FILES = {
  bootstrap: "bootstrap.yaml",
  certificateSecret: "tls_certificate_sds_secret.yaml",
  validationSecret: "validation_context_sds_secret.yaml",
  ca: "cacert.pem",
  certificate: "sds_cert.pem",
  privateKey: "sds_key.pem",
} as const;

export type BootstrapFileName = (typeof BOOTSTRAP_FILES)[keyof typeof BOOTSTRAP_FILES];

/** Static cluster of the control plane. */
const XDS_CLUSTER = "osm-controller";

const DEFAULT_DIRECTORY = "/etc/envoy";
const CERTIFICATE_SECRET = "tls_sds";
const VALIDATION_SECRET = "validation_context_sds";

/** File name -> content. `sds_key.pem` holds a private key: write it with mode 0600. */
export function bootstrapFiles(input: BootstrapInput): Record<BootstrapFileName, string> {
  return {
    [BOOTSTRAP_FILES.bootstrap]: json(bootstrap(input)),
    [BOOTSTRAP_FILES.certificateSecret]: json({ resources: [certificateSecret(input)] }),
    [BOOTSTRAP_FILES.validationSecret]: json({ resources: [validationSecret(input)] }),
    [BOOTSTRAP_FILES.ca]: input.caPem,
    [BOOTSTRAP_FILES.certificate]: input.certificatePem,
    [BOOTSTRAP_FILES.privateKey]: input.privateKeyPem,
  };
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function bootstrap(input: BootstrapInput): object {
  const probes = input.probes ?? {};
  return {
    node: { id: input.nodeId, cluster: input.cluster },
    admin: {
      address: { socket_address: { address: "127.0.0.1", port_value: input.adminPort ?? PROXY_PORTS.admin } },
      access_log: [
        {
          name: EXTENSIONS.stdoutAccessLog,
          typed_config: {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
            log_format: { json_format: ACCESS_LOG_FORMAT },
          },
        },
      ],
    },
    dynamic_resources: {
      ads_config: {
        api_type: "DELTA_GRPC",
        transport_api_version: "V3",
        set_node_on_first_message_only: true,
        grpc_services: [{ envoy_grpc: { cluster_name: XDS_CLUSTER, retry_policy: { retry_back_off: RECONNECT } } }],
      },
      cds_config: { ads: {}, resource_api_version: "V3" },
      lds_config: { ads: {}, resource_api_version: "V3" },
    },
    // A permissive mesh shows every service to every proxy, of which it calls a few.
    cluster_manager: { enable_deferred_cluster_creation: true },
    deferred_stat_options: { enable_deferred_creation_stats: true },
    layered_runtime: { layers: [{ name: "osm", static_layer: RUNTIME }] },
    static_resources: { listeners: probeListeners(probes), clusters: [xdsCluster(input), ...probeClusters(probes)] },
  };
}

/** Jittered and exponential between these. Envoy's own (0.5 s and 30 s) would leave proxies waiting after a restart. */
const RECONNECT = { base_interval: "0.1s", max_interval: "5s" };

/**
 * Envoy refuses a regular expression of more than 100 instructions, and with it the whole route configuration. What is
 * too large is decided where the user's object is read; RE2's own limit on memory stays.
 */
const RUNTIME = { "re2.max_program_size.error_level": 2 ** 32 - 1 };

function xdsCluster(input: BootstrapInput): object {
  const { host: address, port: port_value, isIp } = input.xds;
  return {
    name: XDS_CLUSTER,
    connect_timeout: "5s",
    ...(isIp
      ? { type: "STATIC" }
      : {
          type: "LOGICAL_DNS",
          dns_lookup_family: "V4_PREFERRED",
          dns_failure_refresh_rate: { base_interval: "0.2s", max_interval: "2s" },
        }),
    load_assignment: {
      cluster_name: XDS_CLUSTER,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address, port_value } } } }] }],
    },
    // A control plane that vanished without a word (a lost node) is noticed by whichever of these comes first.
    upstream_connection_options: { tcp_keepalive: { keepalive_probes: 5, keepalive_time: 60, keepalive_interval: 5 } },
    typed_extension_protocol_options: {
      [EXTENSIONS.httpProtocolOptions]: {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        explicit_http_config: {
          http2_protocol_options: { connection_keepalive: { interval: "15s", timeout: "10s" } },
        },
      },
    },
    transport_socket: {
      name: EXTENSIONS.tls,
      typed_config: {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        sni: input.controllerSan,
        common_tls_context: {
          alpn_protocols: ["h2"],
          tls_params: tlsParameters(input.tls),
          tls_certificate_sds_secret_configs: [secretFromFile(input, CERTIFICATE_SECRET, "certificateSecret")],
          validation_context_sds_secret_config: secretFromFile(input, VALIDATION_SECRET, "validationSecret"),
        },
      },
    },
  };
}

function tlsParameters(tls: TlsSettings): object {
  return {
    tls_minimum_protocol_version: tls.minVersion,
    tls_maximum_protocol_version: tls.maxVersion,
    cipher_suites: tls.cipherSuites,
    ecdh_curves: tls.ecdhCurves,
  };
}

function secretFromFile(input: BootstrapInput, name: string, file: keyof typeof BOOTSTRAP_FILES): object {
  return {
    name,
    sds_config: {
      path_config_source: { path: pathOf(input, file), watched_directory: { path: directoryOf(input) } },
      resource_api_version: "V3",
    },
  };
}

const SECRET_TYPE = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";

function certificateSecret(input: BootstrapInput): object {
  return {
    "@type": SECRET_TYPE,
    name: CERTIFICATE_SECRET,
    tls_certificate: {
      certificate_chain: { filename: pathOf(input, "certificate") },
      private_key: { filename: pathOf(input, "privateKey") },
      watched_directory: { path: directoryOf(input) },
    },
  };
}

/** Pins the control plane's name: any other certificate of the mesh CA could pose as it otherwise. */
function validationSecret(input: BootstrapInput): object {
  return {
    "@type": SECRET_TYPE,
    name: VALIDATION_SECRET,
    validation_context: {
      trusted_ca: { filename: pathOf(input, "ca") },
      watched_directory: { path: directoryOf(input) },
      match_typed_subject_alt_names: [{ san_type: "DNS", matcher: { exact: input.controllerSan } }],
    },
  };
}

function directoryOf(input: BootstrapInput): string {
  return input.directory ?? DEFAULT_DIRECTORY;
}

function pathOf(input: BootstrapInput, file: keyof typeof BOOTSTRAP_FILES): string {
  return `${directoryOf(input)}/${BOOTSTRAP_FILES[file]}`;
}
