import type { KubeObject, ObjectOrigin, Pod } from "../kube/objects.ts";
import type { Rejection } from "../lib/mod.ts";
import { canonicalJson } from "../lib/mod.ts";
import { shortHash } from "./pod-names.ts";
import type { PodTemplate } from "./pod-template.ts";
import { readPodTemplate } from "./pod-template.ts";
import type { ShapeProblem } from "./shape.ts";
import { readShape } from "./shape.ts";
import type { Scale, WorkloadKind } from "./workload-scale.ts";
import { readScale, workloadKinds } from "./workload-scale.ts";

/** An object that asks for pods. */
export interface Workload {
  readonly kind: WorkloadKind;
  readonly namespace: string;
  readonly name: string;
  readonly origin?: ObjectOrigin;
  readonly template: PodTemplate;
  /** Equal templates have equal hashes; a pod of another hash is out of date. */
  readonly templateHash: string;
  readonly scale: Scale;
}

export function isWorkload(object: KubeObject): boolean {
  return (workloadKinds as readonly string[]).includes(object.kind);
}

/** Reads a workload. Without one, the rejections say why; with one, they name parts that have no effect here. */
export function readWorkload(
  object: KubeObject,
  origin?: ObjectOrigin,
): { readonly workload?: Workload; readonly rejections: readonly Rejection[] } {
  const kind = object.kind as WorkloadKind;
  const namespace = object.metadata.namespace ?? "default";
  const { name } = object.metadata;
  const reject = (problem: Pick<Rejection, "strength" | "field" | "reason" | "message">): Rejection => ({
    kind,
    namespace,
    name,
    ...(origin ?? {}),
    ...problem,
  });
  const misnamed = nameProblems(object);
  if (misnamed.length > 0) {
    return { rejections: misnamed.map((p) => reject({ ...p, strength: "object", reason: "schema" })) };
  }
  const scale = readScale(kind, object.spec);
  if ("problems" in scale) {
    return { rejections: scale.problems.map((p) => reject({ ...p, strength: "object", reason: "schema" })) };
  }
  const source =
    kind === "Pod"
      ? { metadata: object.metadata, spec: object.spec }
      : asTemplate((object.spec as { template?: unknown }).template);
  const { template, problems } = readPodTemplate(source, kind === "Pod" ? "" : "spec.template");
  const rejections = problems.map(reject);
  if (template === undefined) return { rejections };
  const mismatch = selectorMismatch(object.spec, template);
  if (mismatch !== undefined) {
    return { rejections: [reject({ ...mismatch, strength: "object", reason: "selector-mismatch" })] };
  }
  const templateHash = shortHash(canonicalJson(template), 10);
  return {
    workload: { kind, namespace, name, ...(origin === undefined ? {} : { origin }), template, templateHash, scale },
    rejections,
  };
}

/** One pod of a workload, before anybody has patched it: what the API server would store. */
export function podOf(workload: Workload, name: string): Pod {
  const { kind, template, scale } = workload;
  const account = template.spec.serviceAccountName ?? template.spec.serviceAccount ?? "default";
  const hostname =
    scale.kind === "ordinals"
      ? { hostname: name, ...(scale.serviceName === "" ? {} : { subdomain: scale.serviceName }) }
      : {};
  const volumes = [...(template.spec.volumes ?? []), ...claimedVolumes(scale)];
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace: workload.namespace,
      labels: { ...template.labels, ...ownLabels(kind, workload, name) },
      annotations: template.annotations,
    },
    spec: {
      restartPolicy: "Always",
      terminationGracePeriodSeconds: 30,
      ...template.spec,
      // A Job that restarted what has ended would never be done; an API server refuses it.
      ...(kind === "Job" && template.spec.restartPolicy !== "Never" ? { restartPolicy: "OnFailure" } : {}),
      ...(volumes.length > 0 ? { volumes } : {}),
      serviceAccountName: account,
      ...hostname,
    },
  };
}

/** Labels that the controllers of a cluster add, since selectors may use them. */
function ownLabels(kind: WorkloadKind, { name, templateHash }: Workload, pod: string): Record<string, string> {
  switch (kind) {
    case "Deployment":
      return { "pod-template-hash": templateHash };
    case "StatefulSet":
      return {
        "apps.kubernetes.io/pod-index": pod.slice(name.length + 1),
        "statefulset.kubernetes.io/pod-name": pod,
      };
    case "Job":
      return { "batch.kubernetes.io/job-name": name, "job-name": name };
    case "Pod":
    case "ReplicaSet":
    case "DaemonSet":
      return {};
  }
}

/** A claim is served with scratch space: what is kept beyond a pod's life is not a mesh's business. */
function claimedVolumes(scale: Scale) {
  return scale.kind === "ordinals" ? scale.claims.map((name) => ({ name, emptyDir: {} })) : [];
}

/** Names become paths and host names: one that an API server would refuse goes no further. */
function nameProblems({ metadata }: KubeObject): readonly ShapeProblem[] {
  const problems: ShapeProblem[] = [];
  const fields = { name: "dns-name", namespace: "dns-label" } as const;
  readShape(metadata, { fields, required: ["name"] }, "metadata", problems);
  return problems;
}

function asTemplate(value: unknown): { readonly metadata: unknown; readonly spec: unknown } {
  const { metadata, spec } = (value ?? {}) as { metadata?: unknown; spec?: unknown };
  return { metadata, spec };
}

function selectorMismatch(spec: unknown, template: PodTemplate) {
  const wanted = (spec as { selector?: { matchLabels?: Record<string, unknown> | null } | null }).selector?.matchLabels;
  const label = Object.entries(wanted ?? {}).find(([key, value]) => template.labels[key] !== value)?.[0];
  if (label === undefined) return undefined;
  return {
    field: "spec.selector",
    message: `selects label "${label}", which the pods of spec.template do not have: make both say the same`,
  };
}
