import type { KubeObject, ObjectOrigin } from "../kube/objects.ts";
import type { ServiceAccountRecord } from "../mesh/mod.ts";
import { checkServiceAccountName, metadata, type Translated, translateWith } from "./object-names.ts";

/** ServiceAccount (core/v1): the name of an identity. */
export function translateServiceAccount(object: KubeObject, origin?: ObjectOrigin): Translated<ServiceAccountRecord> {
  return translateWith(object, origin, (root, { ref, createdAt, namespace, name }) => {
    checkServiceAccountName(metadata(root, "name"), name);
    return { kind: "ServiceAccount", ref, createdAt, namespace, name };
  });
}
