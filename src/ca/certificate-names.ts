/** The names in the certificates of a mesh, and how they are read back. */

/** What a leaf certificate names. Plain data. */
export interface CertificateNames {
  readonly commonName: string;
  readonly dnsNames: readonly string[];
  readonly uris: readonly string[];
  /** IPv4 only. */
  readonly ipAddresses: readonly string[];
}

/** The identity of a workload: a service account of a namespace. */
export interface WorkloadIdentity {
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** Whom the credential of one proxy's xDS stream names. */
export interface SidecarIdentity extends WorkloadIdentity {
  /** Label `osm-proxy-uuid` of the pod. */
  readonly uuid: string;
}

/**
 * Names in the certificate that a workload shows to other workloads: OSM's `<sa>.<ns>.<trust domain>` as CN and DNS
 * name, beside the SPIFFE ID (SPIFFE-ID.md §2, path form of Istio and most others).
 */
export function serviceNames(identity: WorkloadIdentity, trustDomain: string): CertificateNames {
  const name = `${identity.serviceAccount}.${identity.namespace}.${trustDomain}`;
  return {
    commonName: name,
    dnsNames: [name],
    uris: [`spiffe://${trustDomain}/ns/${identity.namespace}/sa/${identity.serviceAccount}`],
    ipAddresses: [],
  };
}

/** Names in the certificate that a proxy shows to the control plane: OSM's scheme. The CN may pass 64 characters. */
export function sidecarNames(sidecar: SidecarIdentity, trustDomain: string): CertificateNames {
  const name = `${sidecar.uuid}.sidecar.${sidecar.serviceAccount}.${sidecar.namespace}.${trustDomain}`;
  return { commonName: name, dnsNames: [name], uris: [], ipAddresses: [] };
}

/**
 * Reads the common name of {@link sidecarNames} back; undefined when it has another form or trust domain. Exact: nothing
 * is normalised, and a service account or namespace with a dot has no such name.
 */
export function parseSidecarName(commonName: string, trustDomain: string): SidecarIdentity | undefined {
  const suffix = `.${trustDomain}`;
  if (!commonName.endsWith(suffix)) return undefined;
  const [uuid, kind, serviceAccount, namespace, ...rest] = commonName.slice(0, -suffix.length).split(".");
  if (!uuid || kind !== "sidecar" || !serviceAccount || !namespace || rest.length > 0) return undefined;
  return { uuid, namespace, serviceAccount };
}

/** Names in the certificate of the xDS server: its cluster names, OSM's `ads.<trust domain>`, and this machine. */
export function controllerNames(options: {
  readonly osmNamespace: string;
  readonly trustDomain: string;
}): CertificateNames {
  const service = `osm-controller.${options.osmNamespace}.svc`;
  return {
    commonName: `ads.${options.trustDomain}`,
    dnsNames: [`${service}.cluster.local`, service, `ads.${options.trustDomain}`, "localhost"],
    uris: [],
    ipAddresses: ["127.0.0.1"],
  };
}
