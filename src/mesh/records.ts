import type { ObjectRef } from "../lib/mod.ts";

/**
 * Our own shape of one Kubernetes fact: only what the mesh reads, normalised (ports are numbers, lists are never
 * undefined, namespaces are explicit). Plain data, comparable by content.
 */
interface RecordBase {
  readonly ref: ObjectRef;
  /** Milliseconds since the epoch; 0 when the object carries none. Where two objects claim one thing, the older wins, then namespace/name. */
  readonly createdAt: number;
}

export interface NamespaceRecord extends RecordBase {
  readonly kind: "Namespace";
  readonly name: string;
  /** Value of `openservicemesh.io/monitored-by`. */
  readonly monitoredBy?: string;
  /** Label `openservicemesh.io/ignore: true`. */
  readonly isIgnored: boolean;
  /** What its pods see in permissive mode besides their own namespace. Sorted; undefined: everything. */
  readonly outboundScope?: readonly ScopeEntry[];
}

/** A Service, or all of a namespace. */
export interface ScopeEntry {
  readonly namespace: string;
  readonly service?: string;
}

export interface ServiceAccountRecord extends RecordBase {
  readonly kind: "ServiceAccount";
  readonly namespace: string;
  readonly name: string;
}

/** Protocols that the mesh can carry; a port with any other `appProtocol` gets no configuration. */
export type ServiceProtocol = "http" | "grpc" | "tcp" | "tcp-server-first";

export interface ServicePort {
  /** Empty when the Service has a single unnamed port. */
  readonly name: string;
  readonly port: number;
  /** A number, or the name of a container port. */
  readonly targetPort: number | string;
  /** Undefined: not TCP, or an `appProtocol` that the mesh does not know. */
  readonly protocol?: ServiceProtocol;
}

export interface ServiceRecord extends RecordBase {
  readonly kind: "Service";
  readonly namespace: string;
  readonly name: string;
  readonly isHeadless: boolean;
  /** Empty for headless Services and for those that have none yet. */
  readonly clusterIps: readonly string[];
  /** Undefined: endpoints are written by hand. */
  readonly selector?: Readonly<Record<string, string>>;
  readonly ports: readonly ServicePort[];
}

export interface EndpointPort {
  /** Empty when unnamed. */
  readonly name: string;
  readonly port: number;
}
export interface EndpointAddress {
  readonly addresses: readonly string[];
  readonly isReady: boolean;
  readonly hostname?: string;
  /** Name of the pod in the endpoint's namespace, from `targetRef` of kind Pod. */
  readonly pod?: string;
}
/** One EndpointSlice, or one subset list of an Endpoints object (`kind` in `ref` tells). */
export interface EndpointsRecord extends RecordBase {
  readonly kind: "EndpointSlice" | "Endpoints";
  readonly namespace: string;
  readonly name: string;
  /** The Service that it belongs to. */
  readonly service: string;
  readonly subsets: readonly {
    readonly ports: readonly EndpointPort[];
    readonly endpoints: readonly EndpointAddress[];
  }[];
}

export interface PodRecord extends RecordBase {
  readonly kind: "Pod";
  readonly namespace: string;
  readonly name: string;
  readonly serviceAccount: string;
  readonly labels: Readonly<Record<string, string>>;
  /** `status.podIP` and `status.podIPs`, without duplicates. */
  readonly addresses: readonly string[];
  /** Label `osm-proxy-uuid`. */
  readonly proxyUuid?: string;
  readonly hostname: string;
  readonly subdomain: string;
  readonly isHostNetwork: boolean;
  /** Phase Succeeded or Failed, or being deleted: no longer a place for traffic. */
  readonly isTerminated: boolean;
  /** Annotation `prometheus.io/scrape` parses true. */
  readonly isScraped: boolean;
  /** TCP container ports, by name where they have one. */
  readonly ports: readonly EndpointPort[];
}

export interface RouteRule {
  readonly kind: "HTTPRouteGroup" | "TCPRoute";
  readonly name: string;
  /** HTTPRouteGroup only; absent and empty both mean: no route. */
  readonly matches: readonly string[];
}
export interface ServiceAccountName {
  readonly namespace: string;
  readonly name: string;
}
export interface TrafficTargetRecord extends RecordBase {
  readonly kind: "TrafficTarget";
  readonly namespace: string;
  readonly name: string;
  readonly destination: ServiceAccountName;
  readonly sources: readonly ServiceAccountName[];
  readonly rules: readonly RouteRule[];
}

export interface HeaderMatch {
  /** Lower case; `host` matches the authority. */
  readonly name: string;
  /** RE2, matched in full. */
  readonly regex: string;
}
export interface HttpMatch {
  readonly name: string;
  /** RE2, matched in full against the path without query. `.*` when the object names none. */
  readonly pathRegex: string;
  /** Upper case, or `*`. Never empty. */
  readonly methods: readonly string[];
  /** All must match. */
  readonly headers: readonly HeaderMatch[];
}
export interface HttpRouteGroupRecord extends RecordBase {
  readonly kind: "HTTPRouteGroup";
  readonly namespace: string;
  readonly name: string;
  readonly matches: readonly HttpMatch[];
}
export interface TcpRouteRecord extends RecordBase {
  readonly kind: "TCPRoute";
  readonly namespace: string;
  readonly name: string;
  /** Ports of the pod (target ports); empty = any. */
  readonly ports: readonly number[];
}
export interface TrafficSplitRecord extends RecordBase {
  readonly kind: "TrafficSplit";
  readonly namespace: string;
  readonly name: string;
  /** As written: `svc`, `svc.ns`, `svc.ns.svc[.cluster[.local]]`, `pod.svc…`, each optionally with `:port`. */
  readonly service: string;
  readonly backends: readonly { readonly service: string; readonly weight: number }[];
}

export interface TlsSettings {
  readonly minVersion: "TLS_AUTO" | "TLSv1_0" | "TLSv1_1" | "TLSv1_2" | "TLSv1_3";
  readonly maxVersion: "TLS_AUTO" | "TLSv1_0" | "TLSv1_1" | "TLSv1_2" | "TLSv1_3";
  readonly cipherSuites: readonly string[];
  readonly ecdhCurves: readonly string[];
}

/** All of MeshConfig, defaulted. What is parsed but not acted on yet is listed in `inactiveFields`. */
export interface MeshSettings {
  readonly isPermissive: boolean;
  readonly isEgressEnabled: boolean;
  readonly tls: TlsSettings;
  readonly logLevel: string;
  readonly sidecar: {
    readonly enablePrivilegedInitContainer: boolean;
    readonly logLevel: string;
    readonly envoyImage: string;
    readonly initContainerImage: string;
    readonly maxDataPlaneConnections: number;
    readonly resources?: unknown;
    readonly localProxyMode: "Localhost" | "PodIP";
  };
  readonly interception: {
    readonly outboundIpRangeExclusions: readonly string[];
    readonly outboundIpRangeInclusions: readonly string[];
    readonly outboundPortExclusions: readonly number[];
    readonly inboundPortExclusions: readonly number[];
    readonly networkInterfaceExclusions: readonly string[];
  };
  readonly certificate: {
    readonly keyAlgorithm: "ECDSA" | "RSA";
    /** RSA only. */
    readonly keyBits: number;
    readonly serviceCertValiditySeconds: number;
  };
  /** Paths of fields that the object sets and that have no effect yet, e.g. `spec.observability.tracing.enable`. */
  readonly inactiveFields: readonly string[];
}
export interface MeshConfigRecord extends RecordBase {
  readonly kind: "MeshConfig";
  readonly namespace: string;
  readonly name: string;
  readonly settings: MeshSettings;
}

export type MeshRecord =
  | NamespaceRecord
  | ServiceAccountRecord
  | ServiceRecord
  | EndpointsRecord
  | PodRecord
  | TrafficTargetRecord
  | HttpRouteGroupRecord
  | TcpRouteRecord
  | TrafficSplitRecord
  | MeshConfigRecord;
