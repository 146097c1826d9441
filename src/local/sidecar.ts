import { bootstrapFiles } from "../envoy/bootstrap.ts";
import { injectDecision, injectPod, type SidecarSettings } from "../injector/mod.ts";
import type { KubeObject, Pod } from "../kube/objects.ts";
import type { ControlClient } from "./control-client.ts";

/** The mesh that pods are injected for, as far as a sidecar must know it. */
export interface MeshIdentity {
  readonly meshName: string;
  readonly osmNamespace: string;
}

type TlsSettings = Parameters<typeof bootstrapFiles>[0]["tls"];
interface Credentials {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly caPem: string;
}

export interface InjectedPod {
  readonly pod: Pod;
  readonly isInjected: boolean;
  readonly envoyFiles: Readonly<Record<string, string>>;
}

/** Port of the control plane's xDS service, as in OSM. */
export const XDS_PORT = 15128;
/** Images by which the local host recognises what the injector puts into a pod; nothing is pulled. */
const DEFAULT_IMAGES = { envoy: "envoy", init: "osm-init", healthcheck: "osm-healthcheck" };

/** Decides whether `pod` gets a sidecar; a sentence when it must not run at all. */
export function decideInjection(pod: Pod, namespace: KubeObject | undefined, mesh: MeshIdentity) {
  return injectDecision({
    pod,
    namespace: {
      name: pod.metadata.namespace ?? "default",
      labels: texts(namespace?.metadata.labels),
      annotations: texts(namespace?.metadata.annotations),
    },
    ...mesh,
  });
}

/** A folder has no API server that would refuse a number or a boolean here. */
function texts(values: Readonly<Record<string, unknown>> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, String(value)]));
}

/**
 * Puts the sidecar into `pod` as the webhook of a cluster would, with a credential of its own. `onPatched` hears the patched
 * pod first: the control plane must know it before its proxy connects. Undefined when `signal` aborts.
 */
export async function injectSidecar(options: {
  readonly pod: Pod;
  readonly uuid: string;
  readonly wishes: Parameters<typeof injectPod>[1]["wishes"];
  readonly mesh: MeshIdentity;
  readonly control: ControlClient;
  readonly clusterDomain: string;
  readonly onPatched: (pod: Pod) => void;
  readonly signal: AbortSignal;
}): Promise<InjectedPod | undefined> {
  const { pod, mesh, control, signal } = options;
  const settings = (await control.ask("GET", "/settings", undefined, signal)) as
    | (SidecarSettings & { readonly tls: TlsSettings })
    | undefined;
  if (settings === undefined) return undefined;
  const namespace = pod.metadata.namespace ?? "default";
  const injection = injectPod(pod, {
    uuid: options.uuid,
    namespace,
    wishes: options.wishes,
    settings,
    defaultImages: DEFAULT_IMAGES,
  });
  options.onPatched(injection.pod);
  const serviceAccount = pod.spec.serviceAccountName ?? "default";
  const subject = { namespace, serviceAccount, uuid: injection.uuid };
  const credentials = (await control.ask("POST", "/credentials", subject, signal)) as Credentials | undefined;
  if (credentials === undefined) return undefined;
  const controller = `osm-controller.${mesh.osmNamespace}.svc.${options.clusterDomain}`;
  const envoyFiles = bootstrapFiles({
    nodeId: injection.uuid,
    cluster: `${serviceAccount}.${namespace}`,
    xds: { host: controller, port: XDS_PORT, isIp: false },
    controllerSan: controller,
    tls: settings.tls,
    ...credentials,
    probes: injection.probes,
  });
  return { pod: injection.pod, isInjected: true, envoyFiles };
}
