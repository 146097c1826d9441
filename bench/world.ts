/**
 * Worlds of Kubernetes objects by shape. Pure and seeded: one shape always gives the same objects, so counts and bytes
 * can be compared between runs and machines.
 */
import type { KubeObject } from "../src/kube/objects.ts";

/** How large a mesh is and who calls whom. Service `n` has the service account, the selector and the pods of its name. */
export interface Shape {
  readonly services: number;
  readonly podsPerService: number;
  /** Services lie in this many namespaces, in turn. */
  readonly namespaces: number;
  /** How many others may call each service; nothing but that is allowed. 0: permissive mode, all may call all. */
  readonly callers: number;
  readonly seed: number;
}

/** A pod as a client needs to know it. */
export interface WorldPod {
  readonly namespace: string;
  readonly name: string;
  readonly serviceAccount: string;
  readonly uuid: string;
  readonly address: string;
}

export interface World {
  readonly shape: Shape;
  /** All objects, each once, in an order that a list of a whole cluster could have. */
  readonly objects: readonly KubeObject[];
  readonly pods: readonly WorldPod[];
  /** The EndpointSlice of service `n`: its pods, and one more endpoint of no pod at each of the `further` addresses. */
  readonly slice: (service: number, further?: readonly string[]) => KubeObject;
  /** The same without one of its pods. */
  readonly sliceWithout: (service: number, pod: number) => KubeObject;
  /** The TrafficTarget to service `n`, which allows these matches of its route group: `read` and `write`. */
  readonly target: (service: number, matches: readonly string[]) => KubeObject;
}

/** Pod port of every service. */
const TARGET_PORT = 8080;
const CREATED_AT = "2024-01-01T00:00:00Z";

/** Makes the world of a shape. */
export function makeWorld(shape: Shape): World {
  const services = range(shape.services);
  const pods = services.flatMap((service) => range(shape.podsPerService).map((n) => podOf(shape, service, n)));
  const target = trafficTargets(shape);
  const slice: World["slice"] = (service, further = []) =>
    sliceObject(shape, service, range(shape.podsPerService), further);
  const objects = [
    ...range(shape.namespaces).map(namespaceObject),
    meshConfig(shape),
    ...services.flatMap((service) => [serviceAccount(shape, service), serviceObject(shape, service)]),
    ...pods.map(podObject),
    ...services.map((service) => slice(service)),
    ...(shape.callers === 0 ? [] : services.flatMap((n) => [routeGroup(shape, n), target(n, ["read", "write"])])),
  ];
  const sliceWithout = (service: number, pod: number) => {
    const others = range(shape.podsPerService).filter((n) => n !== pod);
    return sliceObject(shape, service, others, []);
  };
  return { shape, objects, pods, slice, sliceWithout, target };
}

/** The name under which proxies know the endpoints of service `n`. */
export function endpointsName(shape: Shape, service: number): string {
  return `${namespaceOf(shape, service)}/${nameOf(service)}|${TARGET_PORT}`;
}

function namespaceOf(shape: Shape, service: number): string {
  return namespaceName(service % shape.namespaces);
}

/** Names are as long in a large mesh as in a small one, so that bytes can be compared. */
function namespaceName(n: number): string {
  return `ns-${String(n).padStart(3, "0")}`;
}

function nameOf(service: number): string {
  return `service-${String(service).padStart(5, "0")}`;
}

function podOf(shape: Shape, service: number, n: number): WorldPod {
  const position = service * shape.podsPerService + n;
  const digits = position.toString(16).padStart(12, "0");
  return {
    namespace: namespaceOf(shape, service),
    name: `${nameOf(service)}-${n}`,
    serviceAccount: nameOf(service),
    uuid: `00000000-0000-4000-8000-${digits}`,
    address: `10.${64 + (position >> 16)}.${(position >> 8) & 255}.${position & 255}`,
  };
}

function meta(namespace: string, name: string, labels: Readonly<Record<string, string>> = {}): KubeObject["metadata"] {
  return { name, namespace, labels, creationTimestamp: CREATED_AT };
}

function namespaceObject(n: number): KubeObject {
  const metadata = {
    name: namespaceName(n),
    labels: { "openservicemesh.io/monitored-by": "osm" },
    creationTimestamp: CREATED_AT,
  };
  return { apiVersion: "v1", kind: "Namespace", metadata };
}

function meshConfig(shape: Shape): KubeObject {
  return {
    apiVersion: "config.openservicemesh.io/v1alpha2",
    kind: "MeshConfig",
    metadata: meta("osm-system", "osm-mesh-config"),
    spec: {
      certificate: { certKeyBitSize: 2048, serviceCertValidityDuration: "24h" },
      traffic: { enableEgress: false, enablePermissiveTrafficPolicyMode: shape.callers === 0 },
    },
  };
}

function serviceAccount(shape: Shape, service: number): KubeObject {
  return { apiVersion: "v1", kind: "ServiceAccount", metadata: meta(namespaceOf(shape, service), nameOf(service)) };
}

function serviceObject(shape: Shape, service: number): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: meta(namespaceOf(shape, service), nameOf(service)),
    spec: {
      clusterIP: `10.96.${service >> 8}.${service & 255}`,
      selector: { app: nameOf(service) },
      ports: [{ name: "http-web", port: 80, targetPort: TARGET_PORT }],
    },
  };
}

function podObject(pod: WorldPod): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: meta(pod.namespace, pod.name, { app: pod.serviceAccount, "osm-proxy-uuid": pod.uuid }),
    spec: {
      serviceAccountName: pod.serviceAccount,
      containers: [{ name: "app", image: "app:1", ports: [{ name: "web", containerPort: TARGET_PORT }] }],
    },
    status: {
      phase: "Running",
      podIP: pod.address,
      podIPs: [{ ip: pod.address }],
      conditions: [{ type: "Ready", status: "True" }],
    },
  };
}

function sliceObject(shape: Shape, service: number, pods: readonly number[], further: readonly string[]): KubeObject {
  const name = nameOf(service);
  const own = pods.map((n) => {
    const pod = podOf(shape, service, n);
    const targetRef = { kind: "Pod", namespace: pod.namespace, name: pod.name };
    return { addresses: [pod.address], conditions: { ready: true }, targetRef };
  });
  const others = further.map((address) => ({ addresses: [address], conditions: { ready: true } }));
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: meta(namespaceOf(shape, service), `${name}-slice`, { "kubernetes.io/service-name": name }),
    addressType: "IPv4",
    ports: [{ name: "http-web", port: TARGET_PORT, protocol: "TCP" }],
    endpoints: [...own, ...others],
  };
}

function routeGroup(shape: Shape, service: number): KubeObject {
  return {
    apiVersion: "specs.smi-spec.io/v1alpha4",
    kind: "HTTPRouteGroup",
    metadata: meta(namespaceOf(shape, service), `${nameOf(service)}-routes`),
    spec: {
      matches: [
        { name: "read", pathRegex: "/items/.*", methods: ["GET"] },
        { name: "write", pathRegex: "/items", methods: ["POST"], headers: [{ "x-client": ".+" }] },
      ],
    },
  };
}

/** Callers are drawn once, by the seed, so that an edited target keeps its own. */
function trafficTargets(shape: Shape): World["target"] {
  const random = generator(shape.seed);
  const callers = range(shape.services).map((service) => drawCallers(shape, service, random));
  const account = (service: number) => ({
    kind: "ServiceAccount",
    name: nameOf(service),
    namespace: namespaceOf(shape, service),
  });
  return (service, matches) => ({
    apiVersion: "access.smi-spec.io/v1alpha3",
    kind: "TrafficTarget",
    metadata: meta(namespaceOf(shape, service), `to-${nameOf(service)}`),
    spec: {
      destination: account(service),
      rules: [{ kind: "HTTPRouteGroup", name: `${nameOf(service)}-routes`, matches }],
      sources: (callers[service] ?? []).map(account),
    },
  });
}

function drawCallers(shape: Shape, service: number, random: () => number): readonly number[] {
  const drawn = new Set<number>();
  const wanted = Math.min(shape.callers, shape.services - 1);
  while (drawn.size < wanted) {
    const caller = Math.floor(random() * shape.services);
    if (caller !== service) drawn.add(caller);
  }
  return [...drawn].sort((left, right) => left - right);
}

/** Mulberry32: small, seeded, good enough to draw a call graph. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function range(length: number): readonly number[] {
  return Array.from({ length }, (_, n) => n);
}
