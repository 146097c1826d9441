import type { KubeObject, Pod } from "../kube/objects.ts";
import { canonicalJson } from "../lib/mod.ts";
import { shortHash } from "./pod-names.ts";
import type { LocalService } from "./services.ts";
import { isSelected } from "./services.ts";

interface SlicePort {
  readonly name: string;
  readonly port: number;
  readonly protocol: string;
  readonly appProtocol?: string;
}
interface SliceEndpoint {
  readonly addresses: readonly string[];
  readonly conditions: { readonly ready: boolean; readonly serving: boolean; readonly terminating: boolean };
  readonly hostname?: string;
  readonly nodeName?: string;
  readonly targetRef: {
    readonly kind: "Pod";
    readonly namespace: string;
    readonly name: string;
    readonly uid?: string;
  };
}

/**
 * The EndpointSlices of a Service with a selector, as a cluster's endpoint slice controller derives them from `pods`
 * (with status, of any namespace): one slice for each set of target ports, since a port name may mean another number in
 * each pod. A Service without matching pods has one empty slice. Endpoints are sorted by pod, so that equal worlds give
 * equal slices. Follows discovery.k8s.io/v1.
 */
export function endpointSlicesOf(service: LocalService, pods: readonly Pod[]): readonly KubeObject[] {
  const { namespace, selector } = service;
  if (selector === undefined) return [];
  const slices = new Map<string, { readonly ports: readonly SlicePort[]; readonly endpoints: SliceEndpoint[] }>();
  const matching = pods
    .filter(({ metadata }) => metadata.namespace === namespace && isSelected(selector, metadata.labels))
    .filter(isPlaceForTraffic)
    .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  for (const pod of matching) {
    const ports = slicePorts(service, pod);
    const key = canonicalJson(ports);
    const slice = slices.get(key) ?? { ports, endpoints: [] };
    slice.endpoints.push(endpointOf(service, pod));
    slices.set(key, slice);
  }
  if (slices.size === 0) slices.set("", { ports: [], endpoints: [] });
  return [...slices].map(([key, slice]) => sliceObject(service, key, slice));
}

function isPlaceForTraffic({ status }: Pod): boolean {
  return status?.podIP !== undefined && status.phase !== "Succeeded" && status.phase !== "Failed";
}

function slicePorts(service: LocalService, pod: Pod): SlicePort[] {
  return service.ports.flatMap(({ name, targetPort, protocol, appProtocol }) => {
    const port = typeof targetPort === "number" ? targetPort : namedPort(pod, targetPort, protocol);
    if (port === undefined) return [];
    return [{ name, port, protocol, ...(appProtocol === undefined ? {} : { appProtocol }) }];
  });
}

function namedPort(pod: Pod, wanted: string, wantedProtocol: string): number | undefined {
  return pod.spec.containers
    .flatMap(({ ports }) => ports ?? [])
    .find(({ name, protocol }) => name === wanted && (protocol ?? "TCP") === wantedProtocol)?.containerPort;
}

function endpointOf(service: LocalService, pod: Pod): SliceEndpoint {
  const { metadata, spec, status } = pod;
  const terminating = metadata.deletionTimestamp !== undefined;
  const serving = status?.conditions?.some(({ type, status: value }) => type === "Ready" && value === "True") ?? false;
  const isNamed = spec.hostname !== undefined && spec.hostname !== "" && spec.subdomain === service.name;
  return {
    addresses: [status?.podIP ?? ""],
    conditions: { ready: service.publishNotReadyAddresses || (serving && !terminating), serving, terminating },
    ...(isNamed ? { hostname: spec.hostname } : {}),
    ...(spec.nodeName === undefined ? {} : { nodeName: spec.nodeName }),
    targetRef: {
      kind: "Pod",
      namespace: service.namespace,
      name: metadata.name,
      ...(metadata.uid === undefined ? {} : { uid: metadata.uid }),
    },
  };
}

function sliceObject(
  { namespace, name }: LocalService,
  key: string,
  slice: { readonly ports: readonly SlicePort[]; readonly endpoints: readonly SliceEndpoint[] },
): KubeObject {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      name: `${name}-${shortHash(`${namespace}/${name}/${key}`, 5)}`,
      namespace,
      labels: {
        "kubernetes.io/service-name": name,
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
      },
    },
    addressType: "IPv4",
    ports: slice.ports,
    endpoints: slice.endpoints,
  };
}
