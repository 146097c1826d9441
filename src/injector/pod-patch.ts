import { PROBE_KINDS } from "../envoy/bootstrap.ts";
import type { Pod } from "../kube/objects.ts";
import { labelNames } from "./annotations.ts";
import type { PodWishes } from "./decision.ts";
import { interceptionScript } from "./interception-rules.ts";
import type { ApplicationProbes } from "./probes.ts";
import { rewriteProbes } from "./probes.ts";
import {
  bootstrapSecretName,
  envoyContainer,
  hasSidecar,
  healthcheckContainer,
  initContainer,
  sidecarNames,
  sidecarPorts,
} from "./sidecar-containers.ts";

/** The part of the mesh's settings that a sidecar is built from; `MeshSettings` has this shape. */
export interface SidecarSettings {
  readonly sidecar: {
    readonly enablePrivilegedInitContainer: boolean;
    readonly logLevel: string;
    /** Empty: the default image. */
    readonly envoyImage: string;
    readonly initContainerImage: string;
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
}

export interface PatchOptions {
  /** For a pod whose label does not name one. */
  readonly uuid: string;
  readonly namespace: string;
  /** From the decision to inject. */
  readonly wishes: PodWishes;
  readonly settings: SidecarSettings;
  /** Where the settings name none. */
  readonly defaultImages: { readonly envoy: string; readonly init: string; readonly healthcheck: string };
  /** Of the init and health check containers. */
  readonly pullPolicy?: string;
}

export interface Injection {
  readonly pod: Pod;
  /** The proxy's identity on the xDS port; the label of the pod says the same. */
  readonly uuid: string;
  /** The Secret that the pod mounts and that must hold the bootstrap files. */
  readonly bootstrapSecret: string;
  /** What the bootstrap must pass on. */
  readonly probes: ApplicationProbes;
}

/**
 * Puts the sidecar into a pod that {@link injectDecision} chose, as OSM v1.2.4's webhook does and with its names: later
 * init containers would be intercepted before the proxy runs, so the interception comes last; the proxy is the last
 * container. The same pod and options give the same patch; a pod that has a sidecar is returned as it is.
 */
export function injectPod(pod: Pod, options: PatchOptions): Injection {
  const uuid = pod.metadata.labels?.[labelNames.proxyUuid] ?? options.uuid;
  const bootstrapSecret = bootstrapSecretName(uuid);
  if (hasSidecar(pod)) return { pod, uuid, bootstrapSecret, probes: {} };
  const { spec } = pod;
  const { sidecar } = options.settings;
  const { containers, probes, hasTcpProbe } = rewriteProbes(spec.containers);
  const pullPolicy = options.pullPolicy ?? "IfNotPresent";
  const init = initContainer({
    image: sidecar.initContainerImage || options.defaultImages.init,
    pullPolicy,
    script: interceptionScript(mergedScope(options)),
    isPrivileged: sidecar.enablePrivilegedInitContainer,
  });
  const envoy = envoyContainer({
    image: sidecar.envoyImage || options.defaultImages.envoy,
    logLevel: sidecar.logLevel,
    identity: `${spec.serviceAccountName ?? spec.serviceAccount ?? "default"}.${options.namespace}`,
    probePorts: probePorts(probes),
    resources: sidecar.resources,
  });
  const healthcheck = hasTcpProbe ? [healthcheckContainer(options.defaultImages.healthcheck, pullPolicy)] : [];
  const patched: Pod = {
    ...pod,
    metadata: patchedMetadata(pod.metadata, uuid, options.wishes.isScraped),
    spec: {
      ...spec,
      volumes: [...(spec.volumes ?? []), { name: sidecarNames.volume, secret: { secretName: bootstrapSecret } }],
      initContainers: [...(spec.initContainers ?? []), init],
      containers: [...containers, ...healthcheck, envoy],
    },
  };
  return { pod: patched, uuid, bootstrapSecret, probes };
}

function patchedMetadata(metadata: Pod["metadata"], uuid: string, isScraped: boolean): Pod["metadata"] {
  const scrape = {
    "prometheus.io/scrape": "true",
    "prometheus.io/port": String(sidecarPorts.metrics),
    "prometheus.io/path": "/stats/prometheus",
  };
  return {
    ...metadata,
    ...(isScraped ? { annotations: { ...metadata.annotations, ...scrape } } : {}),
    labels: { ...metadata.labels, [labelNames.proxyUuid]: uuid },
  };
}

/** Ports: the mesh's, then the pod's. Ranges: the pod's, then the mesh's. The order is OSM's; it has no effect. */
function mergedScope({ wishes, settings: { interception, sidecar } }: PatchOptions) {
  const merge = <T>(first: readonly T[], second: readonly T[]): readonly T[] => [...new Set([...first, ...second])];
  return {
    inboundPortExclusions: merge(interception.inboundPortExclusions, wishes.inboundPortExclusions),
    outboundPortExclusions: merge(interception.outboundPortExclusions, wishes.outboundPortExclusions),
    outboundIpRangeExclusions: merge(wishes.outboundIpRangeExclusions, interception.outboundIpRangeExclusions),
    outboundIpRangeInclusions: merge(wishes.outboundIpRangeInclusions, interception.outboundIpRangeInclusions),
    networkInterfaceExclusions: interception.networkInterfaceExclusions,
    localProxyMode: sidecar.localProxyMode,
  };
}

function probePorts(probes: ApplicationProbes) {
  return PROBE_KINDS.filter((kind) => probes[kind] !== undefined).map((kind) => ({
    name: `${kind}-port`,
    containerPort: sidecarPorts[kind],
  }));
}
