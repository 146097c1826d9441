import type { KubeObject, ObjectOrigin } from "../kube/objects.ts";
import { type NamespaceRecord, OUTBOUND_SCOPE_ANNOTATION, type ScopeEntry } from "../mesh/mod.ts";
import { type Field, member, readStringMap, rejectPart, shown } from "./field.ts";
import { isDnsLabel, metadata, type Translated, translateWith } from "./object-names.ts";

/** Namespace (core/v1): whether it is in a mesh follows from OSM's labels, what its pods see from an annotation. */
export function translateNamespace(object: KubeObject, origin?: ObjectOrigin): Translated<NamespaceRecord> {
  return translateWith(object, origin, (root, { ref, createdAt, name }) => {
    const labels = readStringMap(metadata(root, "labels"));
    const monitoredBy = labels["openservicemesh.io/monitored-by"];
    const outboundScope = readScope(member(metadata(root, "annotations"), OUTBOUND_SCOPE_ANNOTATION));
    return {
      kind: "Namespace",
      ref,
      createdAt,
      name,
      isIgnored: labels["openservicemesh.io/ignore"] === "true",
      ...(monitoredBy === undefined ? {} : { monitoredBy }),
      ...(outboundScope === undefined ? {} : { outboundScope }),
    };
  });
}

/** An empty text is a scope too: the namespace alone. What cannot be a name is left out, as a name is that nobody has. */
function readScope(field: Field): readonly ScopeEntry[] | undefined {
  const { value } = field;
  if (value === undefined) return undefined;
  if (typeof value !== "string") {
    const message = `${field.path} is ${shown(value)}, so there is no scope: write a text such as "depot, stock/api".`;
    rejectPart(field, "scope-invalid", message);
    return undefined;
  }
  const names = value.split(",").map((name) => name.trim());
  return [...new Set(names)]
    .filter((name) => name !== "")
    .sort()
    .flatMap((name): readonly ScopeEntry[] => {
      const [namespace = "", service, ...rest] = name.split("/");
      const isValid = rest.length === 0 && isDnsLabel(namespace) && (service === undefined || isDnsLabel(service));
      if (isValid) return [service === undefined ? { namespace } : { namespace, service }];
      const message = `${field.path} has ${shown(name)}, which names nothing: write a namespace, or namespace/service. The rest of the scope stands.`;
      rejectPart(field, "scope-invalid", message);
      return [];
    });
}
