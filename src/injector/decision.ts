import type { Pod } from "../kube/objects.ts";
import { AnnotationError, annotationNames, labelNames, readIpRanges, readPorts, readSwitch } from "./annotations.ts";
import { hasSidecar, sidecarNames } from "./sidecar-containers.ts";

/** What annotations of the pod and its namespace ask of the sidecar, read and checked. */
export interface PodWishes {
  /** The namespace has metrics on: Prometheus shall find the pod. */
  readonly isScraped: boolean;
  readonly inboundPortExclusions: readonly number[];
  readonly outboundPortExclusions: readonly number[];
  readonly outboundIpRangeExclusions: readonly string[];
  readonly outboundIpRangeInclusions: readonly string[];
}

/** `denied`: the pod must not be created; the sentence says why and what to do. */
export type InjectDecision =
  | { readonly inject: false }
  | { readonly inject: true; readonly wishes: PodWishes }
  | { readonly denied: string };

export interface InjectRequest {
  readonly pod: Pod;
  readonly namespace: {
    readonly name: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly meshName: string;
  readonly osmNamespace: string;
}

const never = ["kube-system", "kube-public"];
const dnsLabel = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i;

/**
 * Whether a pod gets a sidecar, in the order of OSM v1.2.4's injector and of the namespace selector of its webhook: host
 * network, namespace, the pod's annotation, the namespace's annotation. A wrong annotation value denies the pod rather
 * than let it run outside the mesh.
 */
export function injectDecision(request: InjectRequest): InjectDecision {
  const { pod, namespace } = request;
  if (pod.spec.hostNetwork === true || !isInjectable(request)) return { inject: false };
  const podName = `pod ${namespace.name}/${pod.metadata.name}`;
  const owner = `namespace ${namespace.name}`;
  try {
    const onPod = readSwitch(pod.metadata.annotations, annotationNames.injection, podName);
    const onNamespace = readSwitch(namespace.annotations, annotationNames.injection, owner);
    if (!(onPod ?? onNamespace ?? false)) return { inject: false };
    const denied = sidecarObstacle(pod, podName);
    if (denied !== undefined) return { denied };
    return { inject: true, wishes: readWishes(request, podName, owner) };
  } catch (error) {
    if (error instanceof AnnotationError) return { denied: error.message };
    throw error;
  }
}

function isInjectable({ namespace, meshName, osmNamespace }: InjectRequest): boolean {
  const labels = namespace.labels ?? {};
  if (never.includes(namespace.name) || namespace.name === osmNamespace) return false;
  // The webhook's selector leaves out namespaces of other control planes by this label, whatever its value.
  if (labels[labelNames.ignore] === "true" || labels["control-plane"] !== undefined) return false;
  return labels[labelNames.monitoredBy] === meshName;
}

/** A pod that no sidecar can be put into. */
function sidecarObstacle(pod: Pod, podName: string): string | undefined {
  const account = pod.spec.serviceAccountName ?? pod.spec.serviceAccount ?? "default";
  if (account.includes(".")) {
    return `service account "${account}" of ${podName} contains a dot, which a mesh identity cannot: rename it`;
  }
  const uuid = pod.metadata.labels?.[labelNames.proxyUuid];
  if (uuid !== undefined && !dnsLabel.test(uuid)) {
    return `label ${labelNames.proxyUuid} of ${podName} is "${uuid}": remove it, or use letters, digits and dashes`;
  }
  if (hasSidecar(pod)) return undefined;
  const taken = [...(pod.spec.initContainers ?? []), ...pod.spec.containers, ...(pod.spec.volumes ?? [])]
    .map(({ name }) => name)
    .find((name) => (Object.values(sidecarNames) as string[]).includes(name));
  if (taken === undefined) return undefined;
  return `"${taken}" of ${podName} has a name that the sidecar needs: rename it, or switch injection off for this pod`;
}

function readWishes({ pod, namespace }: InjectRequest, podName: string, owner: string): PodWishes {
  const { annotations } = pod.metadata;
  return {
    isScraped: readSwitch(namespace.annotations, annotationNames.metrics, owner) ?? false,
    inboundPortExclusions: readPorts(annotations, annotationNames.inboundPortExclusions, podName),
    outboundPortExclusions: readPorts(annotations, annotationNames.outboundPortExclusions, podName),
    outboundIpRangeExclusions: readIpRanges(annotations, annotationNames.outboundIpRangeExclusions, podName),
    outboundIpRangeInclusions: readIpRanges(annotations, annotationNames.outboundIpRangeInclusions, podName),
  };
}
