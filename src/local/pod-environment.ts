import type { Container, Pod } from "../kube/objects.ts";
import type { LocalService } from "./services.ts";

/** Kubernetes cuts a pod's host name here. */
const HOSTNAME_MAX = 63;

/** The host name inside the pod: its own, else the pod's name. */
export function hostnameOf(pod: Pod): string {
  return (pod.spec.hostname || pod.metadata.name).slice(0, HOSTNAME_MAX).replace(/[-.]+$/, "");
}

/** `/etc/hosts` as the kubelet writes it: loopback, the pod's own names, then `hostAliases`. */
export function hostsFile(pod: Pod, clusterDomain: string): string {
  const spec = pod.spec as Pod["spec"] & { readonly hostAliases?: readonly HostAlias[] };
  const hostname = hostnameOf(pod);
  const { namespace } = pod.metadata;
  const names = spec.subdomain
    ? [`${hostname}.${spec.subdomain}.${namespace ?? "default"}.svc.${clusterDomain}`, hostname]
    : [hostname];
  const lines = [
    ["127.0.0.1", "localhost"],
    ["::1", "localhost", "ip6-localhost", "ip6-loopback"],
    ["fe00::", "ip6-localnet"],
    ["fe00::", "ip6-mcastprefix"],
    ["fe00::1", "ip6-allnodes"],
    ["fe00::2", "ip6-allrouters"],
    ...(pod.status?.podIP === undefined ? [] : [[pod.status.podIP, ...names]]),
    ...(spec.hostAliases ?? []).map(({ ip, hostnames }) => [ip, ...(hostnames ?? [])]),
  ];
  return `# Written for this pod, as a kubelet writes it.\n${lines.map(([ip, ...all]) => `${ip}\t${all.join("\t")}\n`).join("")}`;
}

interface HostAlias {
  readonly ip: string;
  readonly hostnames?: readonly string[];
}

/** `/etc/resolv.conf` of a pod with the cluster's DNS: short names are tried in the pod's namespace first. */
export function resolvConf(namespace: string, clusterDomain: string, nameserver: string): string {
  const search = [`${namespace}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain].join(" ");
  return `search ${search}\nnameserver ${nameserver}\noptions ndots:5\n`;
}

/** A container's program and environment with every `$(NAME)` filled in. */
export interface ContainerEnvironment {
  readonly env: Readonly<Record<string, string>>;
  readonly command: readonly string[];
  readonly args: readonly string[];
}

/**
 * Environment of a container as the kubelet composes it: `base` (PATH and what else the image would set), the host name,
 * one pair of variables for each Service of the namespace, then the container's own list, which wins. Variables whose
 * source is not supported are left out; the workload's rejections name them. `pod` carries its status.
 */
export function containerEnvironment(
  container: Container,
  pod: Pod,
  base: Readonly<Record<string, string>>,
  services: readonly (LocalService & { readonly address: string })[],
): ContainerEnvironment {
  const { enableServiceLinks } = pod.spec as { readonly enableServiceLinks?: boolean };
  const linked = enableServiceLinks === false ? {} : serviceVariables(pod.metadata.namespace, services);
  const env: Record<string, string> = { ...base, HOSTNAME: hostnameOf(pod), ...linked };
  for (const { name, value, valueFrom } of container.env ?? []) {
    const found = valueFrom === undefined ? expand(value ?? "", env) : fieldOf(pod, valueFrom.fieldRef?.fieldPath);
    if (found !== undefined) env[name] = found;
  }
  return {
    env,
    command: (container.command ?? []).map((text) => expand(text, env)),
    args: (container.args ?? []).map((text) => expand(text, env)),
  };
}

/** `$(NAME)` becomes the variable's value, `$$` a dollar sign; an unknown name stays as it is written. */
function expand(text: string, env: Readonly<Record<string, string>>): string {
  return text.replace(/\$\$|\$\(([^()]+)\)/g, (whole, name: string | undefined) =>
    name === undefined ? "$" : ((Object.hasOwn(env, name) ? env[name] : undefined) ?? whole),
  );
}

/** The downward API. */
function fieldOf(pod: Pod, path = ""): string | undefined {
  const { metadata, spec, status } = pod;
  const [, map, key] = /^metadata\.(labels|annotations)\['([^']+)'\]$/.exec(path) ?? [];
  if (key !== undefined) return metadata[map as "labels" | "annotations"]?.[key] ?? "";
  switch (path) {
    case "metadata.name":
      return metadata.name;
    case "metadata.namespace":
      return metadata.namespace ?? "default";
    case "metadata.uid":
      return metadata.uid ?? "";
    case "spec.nodeName":
      return spec.nodeName ?? "";
    case "spec.serviceAccountName":
      return spec.serviceAccountName ?? "default";
    case "status.podIP":
    case "status.podIPs":
      return status?.podIP ?? "";
    case "status.hostIP":
    case "status.hostIPs":
      return status?.hostIP ?? "";
    default:
      return undefined;
  }
}

function serviceVariables(
  namespace: string | undefined,
  services: readonly (LocalService & { readonly address: string })[],
): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const service of services) {
    const first = service.ports[0];
    if (service.namespace !== namespace || first === undefined) continue;
    const prefix = service.name.toUpperCase().replaceAll(/[-.]/g, "_");
    variables[`${prefix}_SERVICE_HOST`] = service.address;
    variables[`${prefix}_SERVICE_PORT`] = String(first.port);
  }
  return variables;
}
