import type { KubeObject, ObjectOrigin } from "../kube/objects.ts";
import type { NamespaceRecord } from "../mesh/mod.ts";
import { readStringMap } from "./field.ts";
import { metadata, type Translated, translateWith } from "./object-names.ts";

/** Namespace (core/v1): whether it is in a mesh follows from OSM's labels. */
export function translateNamespace(object: KubeObject, origin?: ObjectOrigin): Translated<NamespaceRecord> {
  return translateWith(object, origin, (root, { ref, createdAt, name }) => {
    const labels = readStringMap(metadata(root, "labels"));
    const monitoredBy = labels["openservicemesh.io/monitored-by"];
    return {
      kind: "Namespace",
      ref,
      createdAt,
      name,
      isIgnored: labels["openservicemesh.io/ignore"] === "true",
      ...(monitoredBy === undefined ? {} : { monitoredBy }),
    };
  });
}
