import { parseSidecarName } from "../ca/mod.ts";
import { isMeshed, type MeshSnapshot, podOfProxy } from "../mesh/mod.ts";
import type { Peer } from "../xds/mod.ts";

/**
 * Which pod's proxy the holder of a verified certificate is. The certificate alone decides: its uuid must be the label of
 * a pod in the certificate's namespace, with its service account, in the mesh.
 */
export function authenticateProxy(
  snapshot: MeshSnapshot,
  commonName: string,
  trustDomain: string,
): Peer | { readonly refusal: string } {
  const subject = parseSidecarName(commonName, trustDomain);
  if (subject === undefined) {
    return {
      refusal: `its common name "${commonName}" is not <uuid>.sidecar.<service account>.<namespace>.${trustDomain}`,
    };
  }
  const { uuid, namespace, serviceAccount } = subject;
  const pod = podOfProxy(snapshot, uuid, { namespace, serviceAccount });
  if (pod === undefined) {
    return {
      refusal: `no pod of service account ${serviceAccount} in namespace ${namespace} carries the label osm-proxy-uuid=${uuid}`,
    };
  }
  if (!isMeshed(snapshot, namespace))
    return { refusal: `namespace ${namespace} of pod ${pod.name} is not in the mesh` };
  return { uuid, namespace, pod: pod.name, serviceAccount };
}
