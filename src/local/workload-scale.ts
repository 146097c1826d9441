import type { Shape, ShapeProblem } from "./shape.ts";
import { readShape } from "./shape.ts";

/** Kinds that stand for pods. */
export const workloadKinds = ["Pod", "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job"] as const;
export type WorkloadKind = (typeof workloadKinds)[number];

/** How many pods a workload wants and how they are replaced. Counts are whole and not negative. */
export type Scale =
  | { readonly kind: "single" }
  | {
      readonly kind: "replicas";
      readonly replicas: number;
      /** Pods above `replicas` while pods are replaced. */
      readonly surge: number;
      /** Pods that may be missing meanwhile. */
      readonly unavailable: number;
      /** All old pods go before the first new one comes. */
      readonly isRecreated: boolean;
    }
  | {
      readonly kind: "ordinals";
      readonly replicas: number;
      readonly start: number;
      /** All at once instead of one after the other. */
      readonly isParallel: boolean;
      /** Pods below this ordinal keep their old template. */
      readonly partition: number;
      /** The headless Service that names the pods. */
      readonly serviceName: string;
      /** Names of its volume claims. */
      readonly claims: readonly string[];
    }
  | {
      readonly kind: "completions";
      /** Undefined: done with the first success. */
      readonly completions?: number;
      readonly parallelism: number;
      readonly backoffLimit: number;
    };

/** More than a machine can run; names and plans stay quick below it. */
const PODS_MAX = 5000;

const countOrPercent: Shape = "number-or-string";
const rolling: Shape = {
  fields: { maxSurge: countOrPercent, maxUnavailable: countOrPercent, partition: "integer" },
};
const shape = {
  fields: {
    replicas: "integer",
    selector: { fields: { matchLabels: { map: "string" } } },
    strategy: { fields: { type: "string", rollingUpdate: rolling } },
    updateStrategy: { fields: { type: "string", rollingUpdate: rolling } },
    ordinals: { fields: { start: "integer" } },
    podManagementPolicy: "string",
    serviceName: "string",
    volumeClaimTemplates: {
      list: { fields: { metadata: { fields: { name: "string" }, required: ["name"] } }, required: ["metadata"] },
    },
    completions: "integer",
    parallelism: "integer",
    backoffLimit: "integer",
    suspend: "boolean",
    template: "any",
  },
  required: ["template"],
} satisfies Shape;

interface WorkloadSpec {
  readonly replicas?: number;
  readonly strategy?: Strategy;
  readonly updateStrategy?: Strategy;
  readonly ordinals?: { readonly start?: number };
  readonly podManagementPolicy?: string;
  readonly serviceName?: string;
  readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[];
  readonly completions?: number;
  readonly parallelism?: number;
  readonly backoffLimit?: number;
  readonly suspend?: boolean;
}
interface Strategy {
  readonly type?: string;
  readonly rollingUpdate?: {
    readonly maxSurge?: number | string;
    readonly maxUnavailable?: number | string;
    readonly partition?: number;
  };
}

/** Reads the counts of a workload with the defaults of apps/v1 and batch/v1. */
export function readScale(kind: WorkloadKind, value: unknown): Scale | { readonly problems: readonly ShapeProblem[] } {
  if (kind === "Pod") return { kind: "single" };
  const problems: ShapeProblem[] = [];
  const spec = readShape(value ?? {}, shape, "spec", problems) as WorkloadSpec;
  if (problems.length > 0) return { problems };
  const limits = { replicas: PODS_MAX, parallelism: PODS_MAX, completions: Infinity, backoffLimit: Infinity };
  for (const [field, max] of Object.entries(limits)) {
    const count = spec[field as keyof typeof limits] ?? 0;
    if (count >= 0 && count <= max) continue;
    const message = count < 0 ? `is ${count}: use 0 or more` : `is ${count}: one machine runs ${max} of them at most`;
    problems.push({ field: `spec.${field}`, message });
  }
  if (problems.length > 0) return { problems };
  switch (kind) {
    case "Deployment":
      return replicaScale(spec, spec.replicas ?? 1);
    // A cluster would keep a ReplicaSet's old pods until somebody deletes them; here nobody can, so they are replaced.
    case "ReplicaSet":
      return replicaScale(spec, spec.replicas ?? 1);
    case "DaemonSet":
      return { kind: "replicas", replicas: 1, surge: 1, unavailable: 0, isRecreated: false };
    case "StatefulSet":
      return ordinalScale(spec);
    case "Job":
      return completionScale(spec);
  }
}

function replicaScale(spec: WorkloadSpec, replicas: number): Scale {
  const { type, rollingUpdate } = spec.strategy ?? {};
  const surge = countOf(rollingUpdate?.maxSurge, replicas, Math.ceil);
  const unavailable = countOf(rollingUpdate?.maxUnavailable, replicas, Math.floor);
  return {
    kind: "replicas",
    replicas,
    // Both 0 would replace nothing; Kubernetes then takes one pod away.
    unavailable: surge === 0 && unavailable === 0 ? 1 : unavailable,
    surge,
    isRecreated: type === "Recreate",
  };
}

function countOf(value: number | string | undefined, replicas: number, round: (x: number) => number): number {
  if (typeof value === "number" && value >= 0) return Math.trunc(value);
  const percent = typeof value === "string" ? /^(\d+)%$/.exec(value)?.[1] : undefined;
  return round((replicas * Number(percent ?? 25)) / 100);
}

function ordinalScale(spec: WorkloadSpec): Scale {
  const { type, rollingUpdate } = spec.updateStrategy ?? {};
  return {
    kind: "ordinals",
    replicas: spec.replicas ?? 1,
    start: Math.max(0, spec.ordinals?.start ?? 0),
    isParallel: spec.podManagementPolicy === "Parallel",
    partition: type === "OnDelete" ? Number.MAX_SAFE_INTEGER : (rollingUpdate?.partition ?? 0),
    serviceName: spec.serviceName ?? "",
    claims: (spec.volumeClaimTemplates ?? []).map(({ metadata }) => metadata.name),
  };
}

function completionScale({ completions, parallelism, backoffLimit, suspend }: WorkloadSpec): Scale {
  const wanted = completions ?? (parallelism === undefined ? 1 : undefined);
  return {
    kind: "completions",
    ...(wanted === undefined ? {} : { completions: wanted }),
    parallelism: suspend === true ? 0 : (parallelism ?? 1),
    backoffLimit: backoffLimit ?? 6,
  };
}
