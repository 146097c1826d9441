/** Workload certificates of one CA, as Envoy gets them. */
import { createAuthorityPem, openAuthority, serviceNames, type WorkloadIdentity } from "../../src/ca/mod.ts";
import { encodeServiceCertificate, encodeTrustBundle, SECRETS } from "../../src/envoy/mod.ts";
import { TYPE_URLS } from "../../src/xds/mod.ts";
import type { Resource } from "../../src/xds/resource.ts";

export interface LeafMaker {
  /** The same two secrets for the same account every time. */
  secretsOf(identity: WorkloadIdentity): Promise<readonly Resource[]>;
}

export async function leafMaker(): Promise<LeafMaker> {
  const nowMs = Date.now();
  const names = { certificate: "ca.crt", key: "private.key" };
  const authority = openAuthority(await createAuthorityPem(nowMs), nowMs, names);
  const secret = (name: string, version: string, bytes: Uint8Array): Resource => ({
    typeUrl: TYPE_URLS.secret,
    name,
    version,
    bytes,
  });
  const bundle = encodeTrustBundle({ name: SECRETS.trustBundle, rootsPem: authority.rootsPem });
  const made = new Map<string, Promise<readonly Resource[]>>();
  const make = async ({ namespace, serviceAccount }: WorkloadIdentity) => {
    const leaf = await authority.issue({
      ...serviceNames({ namespace, serviceAccount }, "cluster.local"),
      keyAlgorithm: "ECDSA",
      keyBits: 0,
      validityMs: 3_600_000,
      nowMs,
    });
    const certificate = encodeServiceCertificate({
      name: SECRETS.serviceCertificate,
      certificateChainPem: leaf.certificatePem,
      privateKeyPem: leaf.privateKeyPem.reveal(),
    });
    return [
      secret(SECRETS.serviceCertificate, `${namespace}/${serviceAccount}`, certificate),
      secret(SECRETS.trustBundle, "1", bundle),
    ];
  };
  return {
    secretsOf(identity) {
      const key = `${identity.namespace}/${identity.serviceAccount}`;
      const found = made.get(key) ?? make(identity);
      made.set(key, found);
      return found;
    },
  };
}
