/** Kubernetes objects of a world as plain JSON. Names are as long in a large mesh as in a small one: bytes can be compared. */

import type { Shape } from "./shape.ts";

/** A Kubernetes object, with as much of it as the objects here have. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly creationTimestamp: string;
  };
  readonly [field: string]: unknown;
}

/** A pod, and the proxy in it. */
export interface WorldPod {
  /** Position in the world; the proxy's number in a fleet. */
  readonly id: number;
  readonly service: number;
  readonly namespace: string;
  readonly name: string;
  readonly serviceAccount: string;
  readonly uuid: string;
  readonly address: string;
}

/** Port of every Service, and of every pod. */
export const SERVICE_PORT = 80;
export const TARGET_PORT = 8080;
export const TRUST_DOMAIN = "cluster.local";
export const OSM_NAMESPACE = "osm-system";

/** Annotation of a Namespace: what its proxies know in permissive mode, beside the namespace itself. */
const OUTBOUND_SCOPE = "openservicemesh.io/outbound-scope";

const CREATED_AT = "2024-01-01T00:00:00Z";

export const namespaceName = (n: number): string => `ns-${String(n).padStart(3, "0")}`;
export const serviceName = (n: number): string => `service-${String(n).padStart(5, "0")}`;

export function proxyUuid(id: number): string {
  return `00000000-0000-4000-8000-${id.toString(16).padStart(12, "0")}`;
}

/** The address by which a service is called. */
export function serviceAddress(service: number): string {
  return `10.96.${service >> 8}.${service & 255}`;
}

/** The first address of pod `id`. */
export function firstAddress(id: number): string {
  return `10.${64 + (id >> 16)}.${(id >> 8) & 255}.${id & 255}`;
}

/** Address number `n` that no pod had before. All are equally long, so that none is part of another. */
export function furtherAddress(n: number): string {
  return `10.${200 + (Math.floor(n / 10_000) % 50)}.${100 + (Math.floor(n / 100) % 100)}.${100 + (n % 100)}`;
}

function meta(namespace: string, name: string, labels: Readonly<Record<string, string>> = {}): KubeObject["metadata"] {
  return { name, namespace, labels, creationTimestamp: CREATED_AT };
}

export function meshNamespaceObject(name: string, scope: Shape["scope"]): KubeObject {
  const labels = { "openservicemesh.io/monitored-by": "osm" };
  const metadata = { name, labels, creationTimestamp: CREATED_AT };
  // The namespace itself is always in its scope: the empty text is it alone.
  const annotations = { [OUTBOUND_SCOPE]: "" };
  return {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: scope === undefined ? metadata : { ...metadata, annotations },
  };
}

export function strangersNamespaceObject(name: string): KubeObject {
  return { apiVersion: "v1", kind: "Namespace", metadata: { name, labels: {}, creationTimestamp: CREATED_AT } };
}

/** Settings of the mesh beside permissive mode, by their path in the MeshConfig, and what they are at first. */
export const SETTINGS = {
  "spec.traffic.enableEgress": false,
  "spec.sidecar.tlsMinProtocolVersion": "TLSv1_2",
  "spec.sidecar.cipherSuites": [],
  "spec.sidecar.ecdhCurves": [],
} as const satisfies Readonly<Record<string, SettingValue>>;

export type SettingField = keyof typeof SETTINGS;
export type SettingValue = boolean | string | readonly string[];

export function meshConfigObject(
  isPermissive: boolean,
  settings: ReadonlyMap<SettingField, SettingValue> = new Map(),
): KubeObject {
  const value = (field: SettingField) => settings.get(field) ?? SETTINGS[field];
  return {
    apiVersion: "config.openservicemesh.io/v1alpha2",
    kind: "MeshConfig",
    metadata: meta(OSM_NAMESPACE, "osm-mesh-config"),
    spec: {
      certificate: { certKeyBitSize: 2048, serviceCertValidityDuration: "24h" },
      traffic: {
        enableEgress: value("spec.traffic.enableEgress"),
        enablePermissiveTrafficPolicyMode: isPermissive,
      },
      sidecar: {
        tlsMinProtocolVersion: value("spec.sidecar.tlsMinProtocolVersion"),
        cipherSuites: value("spec.sidecar.cipherSuites"),
        ecdhCurves: value("spec.sidecar.ecdhCurves"),
      },
    },
  };
}

export function serviceAccountObject(namespace: string, name: string): KubeObject {
  return { apiVersion: "v1", kind: "ServiceAccount", metadata: meta(namespace, name) };
}

export function serviceObject(namespace: string, service: number): KubeObject {
  const name = serviceName(service);
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: meta(namespace, name),
    spec: {
      clusterIP: serviceAddress(service),
      selector: { app: name },
      ports: [{ name: "http-web", port: SERVICE_PORT, targetPort: TARGET_PORT }],
    },
  };
}

/** `note`: something about the pod's state that no mesh acts on. */
export function podObject(pod: WorldPod, note = ""): KubeObject {
  const ready = { type: "Ready", status: "True", ...(note === "" ? {} : { message: note }) };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: meta(pod.namespace, pod.name, { app: pod.serviceAccount, "osm-proxy-uuid": pod.uuid }),
    spec: {
      serviceAccountName: pod.serviceAccount,
      containers: [{ name: "app", image: "app:1", ports: [{ name: "web", containerPort: TARGET_PORT }] }],
    },
    status: { phase: "Running", podIP: pod.address, podIPs: [{ ip: pod.address }], conditions: [ready] },
  };
}

/** A pod in a namespace that is not of the mesh. */
export function strangerObject(namespace: string, n: number, note: string): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: meta(namespace, `stranger-${String(n).padStart(5, "0")}`, { app: "stranger" }),
    spec: { serviceAccountName: "default", containers: [{ name: "app", image: "app:1" }] },
    status: { phase: "Running", conditions: [{ type: "Ready", status: "True", message: note }] },
  };
}

/** Slice number `n` of a service. */
export function sliceObject(namespace: string, service: number, n: number, pods: readonly WorldPod[]): KubeObject {
  const name = serviceName(service);
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: meta(namespace, `${name}-${n}`, { "kubernetes.io/service-name": name }),
    addressType: "IPv4",
    ports: [{ name: "http-web", port: TARGET_PORT, protocol: "TCP" }],
    endpoints: pods.map((pod) => ({
      addresses: [pod.address],
      conditions: { ready: true },
      targetRef: { kind: "Pod", namespace: pod.namespace, name: pod.name },
    })),
  };
}

/** Path of writing requests. */
export const WRITE_PATH = "/items";

/** `path`: what reading requests begin with. */
export function routeGroupObject(namespace: string, service: number, path: string): KubeObject {
  return {
    apiVersion: "specs.smi-spec.io/v1alpha4",
    kind: "HTTPRouteGroup",
    metadata: meta(namespace, `${serviceName(service)}-routes`),
    spec: {
      matches: [
        { name: "read", pathRegex: `${path}/.*`, methods: ["GET"] },
        { name: "write", pathRegex: WRITE_PATH, methods: ["POST"], headers: [{ "x-client": ".+" }] },
      ],
    },
  };
}

export interface AccountName {
  readonly namespace: string;
  readonly name: string;
}

export function trafficTargetObject(namespace: string, service: number, sources: readonly AccountName[]): KubeObject {
  const name = serviceName(service);
  return {
    apiVersion: "access.smi-spec.io/v1alpha3",
    kind: "TrafficTarget",
    metadata: meta(namespace, `to-${name}`),
    spec: {
      destination: { kind: "ServiceAccount", name, namespace },
      rules: [{ kind: "HTTPRouteGroup", name: `${name}-routes`, matches: ["read", "write"] }],
      sources: sources.map((source) => ({ kind: "ServiceAccount", ...source })),
    },
  };
}

export function trafficSplitObject(
  namespace: string,
  apex: number,
  backends: readonly { readonly service: number; readonly weight: number }[],
): KubeObject {
  return {
    apiVersion: "split.smi-spec.io/v1alpha2",
    kind: "TrafficSplit",
    metadata: meta(namespace, `${serviceName(apex)}-split`),
    spec: {
      service: serviceName(apex),
      backends: backends.map(({ service, weight }) => ({ service: serviceName(service), weight })),
    },
  };
}
