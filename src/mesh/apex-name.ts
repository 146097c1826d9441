import type { HostParts } from "./resource-names.ts";

/**
 * Reads `spec.service` of a TrafficSplit as OSM v1.2.4 does: `svc`, `svc.ns`, `svc.ns.svc`, `svc.ns.svc.cluster`,
 * `svc.ns.svc.cluster.local`, and the same with the name of a StatefulSet's pod before `svc`; a port behind it is
 * ignored. `x.y` is Service x in namespace y when that namespace exists, else pod x of Service y. Undefined when it is
 * none of these.
 */
export function parseApexName(
  text: string,
  split: { readonly namespace: string },
  options: { readonly clusterDomain: string; readonly isNamespace: (name: string) => boolean },
): HostParts | undefined {
  const labels = text.replace(/:\d+$/, "").split(".");
  if (labels.some((label) => label === "")) return undefined;
  const [first, second, third] = labels as [string, string?, string?];
  if (second === undefined) return { namespace: split.namespace, service: first };
  if (third === undefined) {
    const isNamespace = second === split.namespace || options.isNamespace(second);
    if (isNamespace) return { namespace: second, service: first };
    return { namespace: split.namespace, service: second, host: first };
  }
  const marker = third === "svc" ? 2 : 3;
  if (!isClusterSuffix(labels.slice(marker), options.clusterDomain)) return undefined;
  return marker === 2 ? { namespace: second, service: first } : { namespace: third, service: second, host: first };
}

/** Nothing, `svc`, or `svc` with the first or all labels of the cluster domain. */
function isClusterSuffix(labels: readonly string[], clusterDomain: string): boolean {
  if (labels.length === 0) return true;
  const [marker, ...domain] = labels;
  const written = domain.join(".");
  return marker === "svc" && (written === "" || written === clusterDomain || written === clusterDomain.split(".")[0]);
}
