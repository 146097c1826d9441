import type { KubeObject, ObjectOrigin } from "../kube/objects.ts";
import type { RouteRule, ServiceAccountName, TrafficTargetRecord } from "../mesh/mod.ts";
import {
  checkObject,
  type Field,
  member,
  readList,
  readOneOf,
  readString,
  readStrings,
  reject,
  rejectPart,
  requireString,
  shown,
} from "./field.ts";
import { checkServiceAccountName, type Translated, translateWith } from "./object-names.ts";

/**
 * TrafficTarget (access.smi-spec.io/v1alpha3). Whether a foreign or missing destination namespace matters depends on the
 * mesh's namespaces, so the mesh judges it.
 */
export function translateTrafficTarget(object: KubeObject, origin?: ObjectOrigin): Translated<TrafficTargetRecord> {
  return translateWith(object, origin, (root, { ref, createdAt, namespace, name }) => {
    const spec = member(root, "spec");
    checkObject(spec, true);
    const destination = member(spec, "destination");
    checkObject(destination, true);
    const rules = member(spec, "rules");
    const ruleItems = readList(rules, true);
    if (Array.isArray(rules.value) && ruleItems.length === 0) {
      reject(
        rules,
        "rules-empty",
        `${rules.path} is empty, so nothing is allowed: add an HTTPRouteGroup or a TCPRoute.`,
      );
    }
    return {
      kind: "TrafficTarget",
      ref,
      createdAt,
      namespace,
      name,
      destination: readServiceAccount(destination),
      sources: readList(member(spec, "sources"), true).flatMap(readSource),
      rules: ruleItems.flatMap(readRule),
    };
  });
}

function readServiceAccount(field: Field): ServiceAccountName {
  const kind = requireString(member(field, "kind"));
  if (kind !== "" && kind !== "ServiceAccount") {
    const kindField = member(field, "kind");
    reject(
      kindField,
      "identity-kind-unsupported",
      `${kindField.path} is ${shown(kind)}: only ServiceAccount is known.`,
    );
  }
  const name = requireString(member(field, "name"));
  checkServiceAccountName(member(field, "name"), name);
  return { namespace: readString(member(field, "namespace")) ?? "", name };
}

/** A source without a namespace names nobody. */
function readSource(field: Field): readonly ServiceAccountName[] {
  const source = readServiceAccount(field);
  if (source.namespace !== "") return [source];
  const namespace = member(field, "namespace");
  const message = `${namespace.path} is missing, so this source names no service account: add its namespace.`;
  rejectPart(namespace, "source-namespace-missing", message);
  return [];
}

function readRule(field: Field): readonly RouteRule[] {
  const kindField = member(field, "kind");
  requireString(kindField);
  const kind = readOneOf(kindField, ["HTTPRouteGroup", "TCPRoute", "UDPRoute"]);
  const name = requireString(member(field, "name"));
  const matches = readStrings(member(field, "matches"));
  if (kind === "UDPRoute") {
    const message = `${kindField.path} is UDPRoute, and the mesh carries no UDP: remove the rule.`;
    reject(kindField, "rule-kind-unsupported", message);
  }
  if (kind === undefined || kind === "UDPRoute") return [];
  return [{ kind, name, matches: kind === "HTTPRouteGroup" ? matches : [] }];
}
