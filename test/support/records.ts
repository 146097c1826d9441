/**
 * Builders of mesh records for tests: each returns a fresh object with what a small world needs and takes what the test
 * is about. Names are unique per kind and namespace.
 */
import type {
  EndpointsRecord,
  HttpMatch,
  HttpRouteGroupRecord,
  MeshConfigRecord,
  MeshRecord,
  MeshSettings,
  NamespaceRecord,
  PodRecord,
  RecordChange,
  ServicePort,
  ServiceRecord,
  TcpRouteRecord,
  TrafficSplitRecord,
  TrafficTargetRecord,
} from "../../src/mesh/mod.ts";
import { DEFAULT_SETTINGS, MESH_CONFIG_NAME } from "../../src/mesh/mod.ts";

type Overrides<R extends MeshRecord> = Partial<Omit<R, "kind" | "ref" | "namespace" | "name">>;

function ref(kind: string, namespace: string, name: string) {
  return { kind, namespace, name, file: `${kind}-${name}.yaml`.toLowerCase(), line: 1 };
}

export function namespaceRecord(name: string, overrides: Overrides<NamespaceRecord> = {}): NamespaceRecord {
  return {
    kind: "Namespace",
    ref: ref("Namespace", "", name),
    createdAt: 0,
    name,
    monitoredBy: "osm",
    isIgnored: false,
    ...overrides,
  };
}

/** An HTTP port 80 that leads to port 8080 of the pods, unless told otherwise. */
export function servicePort(overrides: Partial<ServicePort> = {}): ServicePort {
  return { name: "", port: 80, targetPort: 8080, protocol: "http", ...overrides };
}

/** A Service that selects the pods labelled `app: NAME`. */
export function serviceRecord(
  namespace: string,
  name: string,
  overrides: Overrides<ServiceRecord> = {},
): ServiceRecord {
  return {
    kind: "Service",
    ref: ref("Service", namespace, name),
    createdAt: 0,
    namespace,
    name,
    isHeadless: false,
    clusterIps: [],
    selector: { app: name },
    ports: [servicePort()],
    ...overrides,
  };
}

/** A pod labelled `app: APP` under the service account `APP`, with its name as proxy uuid. */
export function podRecord(
  namespace: string,
  name: string,
  app: string,
  address: string,
  overrides: Overrides<PodRecord> = {},
): PodRecord {
  return {
    kind: "Pod",
    ref: ref("Pod", namespace, name),
    createdAt: 0,
    namespace,
    name,
    serviceAccount: app,
    labels: { app },
    addresses: [address],
    proxyUuid: `uuid-${namespace}-${name}`,
    hostname: "",
    subdomain: "",
    isHostNetwork: false,
    isTerminated: false,
    isScraped: false,
    ports: [],
    ...overrides,
  };
}

/** One EndpointSlice of a Service: each pod with its first address, on the given ports. */
export function endpointSlice(
  service: Pick<ServiceRecord, "namespace" | "name">,
  pods: readonly (PodRecord & { readonly isReady?: boolean })[],
  ports: EndpointsRecord["subsets"][number]["ports"] = [{ name: "", port: 8080 }],
  name = `${service.name}-slice`,
): EndpointsRecord {
  return {
    kind: "EndpointSlice",
    ref: ref("EndpointSlice", service.namespace, name),
    createdAt: 0,
    namespace: service.namespace,
    name,
    service: service.name,
    subsets: [
      {
        ports,
        endpoints: pods.map((pod) => ({
          addresses: pod.addresses.slice(0, 1),
          isReady: pod.isReady ?? true,
          pod: pod.name,
          ...(pod.hostname !== "" && pod.subdomain === service.name ? { hostname: pod.hostname } : {}),
        })),
      },
    ],
  };
}

/** Service accounts are written `namespace/name`. */
export function trafficTarget(
  namespace: string,
  name: string,
  access: {
    readonly to: string;
    readonly from: readonly string[];
    readonly rules: TrafficTargetRecord["rules"];
  },
  overrides: Overrides<TrafficTargetRecord> = {},
): TrafficTargetRecord {
  return {
    kind: "TrafficTarget",
    ref: ref("TrafficTarget", namespace, name),
    createdAt: 0,
    namespace,
    name,
    destination: account(access.to),
    sources: access.from.map(account),
    rules: access.rules,
    ...overrides,
  };
}

function account(text: string) {
  const [namespace = "", name = ""] = text.split("/");
  return { namespace, name };
}

/** Any request, unless told otherwise. */
export function httpMatch(name: string, overrides: Partial<Omit<HttpMatch, "name">> = {}): HttpMatch {
  return { name, pathRegex: ".*", methods: ["*"], headers: [], ...overrides };
}

export function httpRouteGroup(namespace: string, name: string, matches: readonly HttpMatch[]): HttpRouteGroupRecord {
  return {
    kind: "HTTPRouteGroup",
    ref: ref("HTTPRouteGroup", namespace, name),
    createdAt: 0,
    namespace,
    name,
    matches,
  };
}

export function tcpRoute(namespace: string, name: string, ports: readonly number[]): TcpRouteRecord {
  return { kind: "TCPRoute", ref: ref("TCPRoute", namespace, name), createdAt: 0, namespace, name, ports };
}

/** Backends by Service name. */
export function trafficSplit(
  namespace: string,
  name: string,
  service: string,
  weights: Readonly<Record<string, number>>,
  overrides: Overrides<TrafficSplitRecord> = {},
): TrafficSplitRecord {
  return {
    kind: "TrafficSplit",
    ref: ref("TrafficSplit", namespace, name),
    createdAt: 0,
    namespace,
    name,
    service,
    backends: Object.entries(weights).map(([backend, weight]) => ({ service: backend, weight })),
    ...overrides,
  };
}

export function meshConfig(settings: Partial<MeshSettings> = {}): MeshConfigRecord {
  return {
    kind: "MeshConfig",
    ref: ref("MeshConfig", "osm-system", MESH_CONFIG_NAME),
    createdAt: 0,
    namespace: "osm-system",
    name: MESH_CONFIG_NAME,
    settings: { ...DEFAULT_SETTINGS, ...settings },
  };
}

export function put(...records: readonly MeshRecord[]): readonly RecordChange[] {
  return records.map((record) => ({ type: "put", record }));
}

export function remove(record: MeshRecord): RecordChange {
  const namespace = record.kind === "Namespace" ? "" : record.namespace;
  return { type: "remove", kind: record.kind, namespace, name: record.name };
}

/** A Service with a cluster IP, one pod of the same name, service account and label behind it, and its endpoints. */
export function workload(
  namespace: string,
  name: string,
  position: number,
  overrides: Overrides<ServiceRecord> = {},
): readonly [ServiceRecord, PodRecord, EndpointsRecord] {
  const service = serviceRecord(namespace, name, { clusterIps: [`10.96.0.${position}`], ...overrides });
  const pod = podRecord(namespace, `${name}-1`, name, `10.244.0.${position}`);
  const ports = service.ports.map((port) => ({ name: port.name, port: Number(port.targetPort) }));
  return [service, pod, endpointSlice(service, [pod], ports)];
}
