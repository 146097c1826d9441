import type { KubeObject, ObjectOrigin } from "../kube/objects.ts";
import type { TrafficSplitRecord } from "../mesh/mod.ts";
import { checkObject, type Field, member, readList, readNumber, reject, requireString } from "./field.ts";
import { type Translated, translateWith } from "./object-names.ts";

/** Envoy keeps the sum of the weights in an unsigned 32-bit number. */
const WEIGHT_SUM_MAX = 2 ** 32 - 1;

/** TrafficSplit (split.smi-spec.io/v1alpha2, and v1alpha4 without `matches`). */
export function translateTrafficSplit(object: KubeObject, origin?: ObjectOrigin): Translated<TrafficSplitRecord> {
  return translateWith(object, origin, (root, { ref, createdAt, namespace, name }) => {
    const spec = member(root, "spec");
    checkObject(spec, true);
    const matches = member(spec, "matches");
    if (matches.value !== undefined) {
      const message = "spec.matches would split by route, which the mesh cannot do: remove it.";
      reject(matches, "split-matches-unsupported", message);
    }
    const service = requireName(member(spec, "service"));
    const backends = readList(member(spec, "backends"), true).map((item) => ({
      service: requireName(member(item, "service")),
      weight: readWeight(member(item, "weight")),
    }));
    checkWeights(member(spec, "backends"), backends);
    return { kind: "TrafficSplit", ref, createdAt, namespace, name, service, backends };
  });
}

function requireName(field: Field): string {
  const name = requireString(field);
  if (field.value === "") reject(field, "field-required", `${field.path} is empty: name a Service.`);
  return name;
}

function readWeight(field: Field): number {
  const weight = readNumber(field, true);
  if (weight === undefined) return 0;
  if (Number.isSafeInteger(weight) && weight >= 0) return weight;
  reject(field, "weight-invalid", `${field.path} is ${weight}: a weight is a whole number, 0 or more.`);
  return 0;
}

function checkWeights(field: Field, backends: TrafficSplitRecord["backends"]): void {
  // Whatever is wrong with the list or a weight has been noted already.
  if (field.problems.some(({ strength }) => strength === "object")) return;
  const sum = backends.reduce((total, { weight }) => total + weight, 0);
  if (sum === 0) {
    reject(field, "weights-zero", `${field.path} gives no backend a weight above 0: give one a share of the traffic.`);
  } else if (sum > WEIGHT_SUM_MAX) {
    reject(field, "weight-invalid", `The weights of ${field.path} add up to ${sum}, more than ${WEIGHT_SUM_MAX}.`);
  }
}
