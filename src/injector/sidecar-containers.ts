import { PROXY_PORTS } from "../envoy/bootstrap.ts";
import type { Container, EnvVar, Pod, SecurityContext } from "../kube/objects.ts";

/** Linux user of the proxy: the interception rules tell its packets by it. */
export const ENVOY_UID = 1500;

/** Ports of a sidecar, as in OSM: those of the proxy and that of the health check container. */
export const sidecarPorts = { ...PROXY_PORTS, healthcheck: 15904 } as const;

/** Names of what a patch adds to a pod. */
export const sidecarNames = {
  init: "osm-init",
  envoy: "envoy",
  healthcheck: "osm-healthcheck",
  volume: "envoy-bootstrap-config-volume",
} as const;

/** Where the bootstrap files are mounted in the proxy's container. */
const ENVOY_CONFIG_DIR = "/etc/envoy";

/** Name of the Secret that holds the bootstrap files of one proxy. */
export function bootstrapSecretName(uuid: string): string {
  return `envoy-bootstrap-config-${uuid}`;
}

/** Whether the pod carries a sidecar already, so that a second patch changes nothing. */
export function hasSidecar(pod: Pod): boolean {
  const hasVolume = pod.spec.volumes?.some(({ name }) => name === sidecarNames.volume) ?? false;
  return hasVolume && pod.spec.containers.some(({ name }) => name === sidecarNames.envoy);
}

/** Runs the interception rules before any later container starts. */
export function initContainer(options: {
  readonly image: string;
  readonly pullPolicy: string;
  readonly script: string;
  readonly isPrivileged: boolean;
}): Container {
  const securityContext: SecurityContext = {
    privileged: options.isPrivileged,
    capabilities: { add: ["NET_ADMIN"] },
    runAsNonRoot: false,
    runAsUser: 0,
  };
  return {
    name: sidecarNames.init,
    image: options.image,
    imagePullPolicy: options.pullPolicy,
    command: ["/bin/sh"],
    args: ["-c", options.script],
    env: [fromField("POD_IP", "status.podIP")],
    securityContext,
  };
}

/** The proxy. `identity` is `<service account>.<namespace>`; `probePorts` are those of its probe listeners in use. */
export function envoyContainer(options: {
  readonly image: string;
  readonly logLevel: string;
  readonly identity: string;
  readonly probePorts: readonly { readonly name: string; readonly containerPort: number }[];
  readonly resources: unknown;
}): Container {
  return {
    name: sidecarNames.envoy,
    image: options.image,
    imagePullPolicy: "IfNotPresent",
    command: ["envoy"],
    args: [
      "--log-level",
      options.logLevel,
      "--config-path",
      `${ENVOY_CONFIG_DIR}/bootstrap.yaml`,
      "--service-cluster",
      options.identity,
    ],
    env: [
      fromField("POD_UID", "metadata.uid"),
      fromField("POD_NAME", "metadata.name"),
      fromField("POD_NAMESPACE", "metadata.namespace"),
      fromField("POD_IP", "status.podIP"),
      fromField("SERVICE_ACCOUNT", "spec.serviceAccountName"),
    ],
    ports: [
      { name: "proxy-admin", containerPort: sidecarPorts.admin },
      { name: "proxy-inbound", containerPort: sidecarPorts.inbound },
      { name: "proxy-metrics", containerPort: sidecarPorts.metrics },
      ...options.probePorts,
    ],
    ...(options.resources === undefined ? {} : { resources: options.resources }),
    securityContext: { runAsUser: ENVOY_UID, allowPrivilegeEscalation: false },
    volumeMounts: [{ name: sidecarNames.volume, mountPath: ENVOY_CONFIG_DIR, readOnly: true }],
  };
}

/** Answers rewritten tcpSocket probes. */
export function healthcheckContainer(image: string, pullPolicy: string): Container {
  return {
    name: sidecarNames.healthcheck,
    image,
    imagePullPolicy: pullPolicy,
    command: ["/osm-healthcheck"],
    args: ["--verbosity", "info"],
    ports: [{ containerPort: sidecarPorts.healthcheck }],
  };
}

function fromField(name: string, fieldPath: string): EnvVar {
  return { name, valueFrom: { fieldRef: { fieldPath } } };
}
