/**
 * Names that views carry into Envoy, after OSM v1.2.4. `label` is `<namespace>/<service>`, or
 * `<namespace>/<host>.<service>` for one pod of a StatefulSet's Service.
 */
import type { ServiceProtocol } from "./records.ts";

export function serviceLabel(namespace: string, service: string, host?: string): string {
  return host === undefined ? `${namespace}/${service}` : `${namespace}/${host}.${service}`;
}

export function clusterName(label: string, targetPort: number): string {
  return `${label}|${targetPort}`;
}

export function localClusterName(label: string, targetPort: number): string {
  return `${label}|${targetPort}|local`;
}

export function outboundChainName(label: string, port: number, protocol: ServiceProtocol): string {
  return `outbound_${label}_${port}_${protocol}`;
}

export function outboundRouteName(label: string, port: number): string {
  return `rds-outbound.${label}.${port}`;
}

export function inboundChainName(label: string, targetPort: number, protocol: ServiceProtocol): string {
  return `inbound_${label}_${targetPort}_${protocol}`;
}

export function inboundRouteName(targetPort: number): string {
  return `rds-inbound.${targetPort}`;
}

/** The label of Services that share one filter chain: `+` cannot occur in a Kubernetes name. */
export function joinedLabel(labels: readonly string[]): string {
  return labels.join("+");
}

/** The one DNS name by which a service is known in the mesh: its SNI, and the name of its virtual hosts. */
export function fullyQualifiedName(parts: HostParts, clusterDomain: string): string {
  return `${ownName(parts)}.${parts.namespace}.svc.${clusterDomain}`;
}

/** A Service, or one pod of a StatefulSet's Service. */
export interface HostParts {
  readonly namespace: string;
  readonly service: string;
  readonly host?: string;
}

function ownName(parts: HostParts): string {
  return parts.host === undefined ? parts.service : `${parts.host}.${parts.service}`;
}

/**
 * The names under which a client may call, each plain and with each of `ports`. The bare name means this service only
 * to clients in its namespace.
 */
export function hostNames(
  parts: HostParts,
  ports: readonly number[],
  options: { readonly clusterDomain: string; readonly isSameNamespace: boolean },
): readonly string[] {
  const name = ownName(parts);
  const inNamespace = `${name}.${parts.namespace}`;
  const inCluster = `${inNamespace}.svc`;
  const firstLabel = options.clusterDomain.split(".")[0] ?? options.clusterDomain;
  const names = new Set([
    inNamespace,
    inCluster,
    `${inCluster}.${firstLabel}`,
    `${inCluster}.${options.clusterDomain}`,
  ]);
  if (options.isSameNamespace) names.add(name);
  return [...names].flatMap((host) => [host, ...ports.map((port) => `${host}:${port}`)]).sort();
}

/** The name that a workload's certificate carries (a DNS SAN) and that policies compare. */
export function principalName(
  account: { readonly namespace: string; readonly name: string },
  trustDomain: string,
): string {
  return `${account.name}.${account.namespace}.${trustDomain}`;
}
