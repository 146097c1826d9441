/** A Service, as cluster DNS sees it. */
export interface NamedService {
  readonly namespace: string;
  readonly name: string;
  /** Absent for a headless Service. */
  readonly clusterIp?: string;
  /** Those that are ready, or published without. */
  readonly endpoints: readonly { readonly address: string; readonly hostname?: string }[];
}

/** What cluster DNS answers: addresses (none: the name exists, without any), or undefined for a name that does not exist. */
export type DnsZone = (name: string) => readonly string[] | undefined;

/**
 * The names of `services` under `domain` (`cluster.local`), after the Kubernetes DNS specification
 * (https://github.com/kubernetes/dns/blob/master/docs/specification.md): `svc.ns.svc.domain` is the cluster IP or, of a headless
 * Service, every endpoint; `host.svc.ns.svc.domain` is the endpoint with that host name. Shorter forms come from the
 * search list in a pod's resolv.conf.
 */
export function dnsZone(services: readonly NamedService[], domain: string): DnsZone {
  const names = new Map<string, string[]>();
  const suffix = `.svc.${domain}`;
  for (const { namespace, name, clusterIp, endpoints } of services) {
    const service = `${name}.${namespace}${suffix}`.toLowerCase();
    names.set(service, clusterIp === undefined ? [...new Set(endpoints.map(({ address }) => address))] : [clusterIp]);
    for (const { address, hostname } of endpoints) {
      if (hostname === undefined) continue;
      const host = `${hostname.toLowerCase()}.${service}`;
      names.set(host, [...(names.get(host) ?? []), address]);
    }
  }
  return (name) => names.get(name.toLowerCase().replace(/\.$/, ""));
}
