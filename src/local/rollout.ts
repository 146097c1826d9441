import { generatedNames } from "./pod-names.ts";
import type { Scale } from "./workload-scale.ts";
import type { Workload } from "./workloads.ts";

/** A pod of the workload as it stands now. */
export interface RunningPod {
  readonly name: string;
  readonly templateHash: string;
  readonly phase: "Pending" | "Running" | "Succeeded" | "Failed";
  readonly isReady: boolean;
  /** Told to go, not gone yet: its name is still taken. */
  readonly isTerminating: boolean;
}

/** What to do now. Ask again whenever a pod or the workload has changed: nothing is remembered in between. */
export interface RolloutStep {
  /** Names of pods to create with the workload's template. */
  readonly create: readonly string[];
  /** Names of pods to tell to go. */
  readonly remove: readonly string[];
  /** A Job whose pods fail waits before it tries again. */
  readonly createDelaySeconds: number;
}

/**
 * The next step from `pods` to what the workload asks for, as the controllers of a cluster take it: a Deployment's new
 * pods become ready before old ones go, a StatefulSet's pods are replaced one by one from the last, a finished Job stays
 * finished. Follows the Kubernetes pages on Deployments, StatefulSets and Jobs.
 */
export function planRollout(workload: Workload, pods: readonly RunningPod[]): RolloutStep {
  const sorted = [...pods].sort((a, b) => (a.name < b.name ? -1 : 1));
  switch (workload.scale.kind) {
    case "single":
      return singleStep(workload, sorted);
    case "replicas":
      return replicasStep(workload, workload.scale, sorted);
    case "ordinals":
      return ordinalsStep(workload, workload.scale, sorted);
    case "completions":
      return completionsStep(workload, workload.scale, sorted);
  }
}

function step(create: readonly string[], remove: readonly RunningPod[], createDelaySeconds = 0): RolloutStep {
  return { create, remove: remove.map(({ name }) => name), createDelaySeconds };
}

function singleStep(workload: Workload, pods: readonly RunningPod[]): RolloutStep {
  const outdated = pods.filter(({ isTerminating, templateHash: hash, name }) => {
    return !isTerminating && (hash !== workload.templateHash || name !== workload.name);
  });
  return step(pods.length === 0 ? [workload.name] : [], outdated);
}

function replicasStep(
  workload: Workload,
  scale: Extract<Scale, { kind: "replicas" }>,
  pods: readonly RunningPod[],
): RolloutStep {
  const { replicas, surge, unavailable, isRecreated } = scale;
  const staying = pods.filter(({ isTerminating }) => !isTerminating);
  const fresh = staying.filter(({ templateHash }) => templateHash === workload.templateHash);
  const old = staying.filter(({ templateHash }) => templateHash !== workload.templateHash);
  const missing = Math.max(0, replicas - fresh.length);
  const surplus = [...fresh]
    .sort((a, b) => Number(a.isReady) - Number(b.isReady))
    .slice(0, Math.max(0, fresh.length - replicas));
  if (isRecreated && old.length > 0) return step([], [...old, ...surplus]);
  const hasOldLeft = pods.some(({ templateHash }) => templateHash !== workload.templateHash);
  if (isRecreated && hasOldLeft) return step([], surplus);
  const room = old.length === 0 ? missing : Math.max(0, replicas + surge - staying.length);
  const spare = staying.filter(({ isReady }) => isReady).length - Math.max(0, replicas - unavailable);
  const readyOld = old.filter(({ isReady }) => isReady).slice(0, Math.max(0, spare));
  const idleOld = old.filter(({ isReady }) => !isReady);
  return step(newNames(workload, Math.min(missing, room), pods), [...idleOld, ...readyOld, ...surplus]);
}

function ordinalsStep(
  workload: Workload,
  scale: Extract<Scale, { kind: "ordinals" }>,
  pods: readonly RunningPod[],
): RolloutStep {
  const podByName = new Map(pods.map((pod) => [pod.name, pod]));
  const ordinals = Array.from({ length: scale.replicas }, (_, index) => scale.start + index);
  const wanted = ordinals.map((ordinal) => ({ ordinal, name: `${workload.name}-${ordinal}` }));
  const names = new Set(wanted.map(({ name }) => name));
  const isBusy = pods.some(({ isTerminating }) => isTerminating);
  const tooMany = pods
    .filter(({ name, isTerminating }) => !names.has(name) && !isTerminating)
    .sort((a, b) => ordinalOf(b) - ordinalOf(a));
  const absent = wanted.filter(({ name }) => !podByName.has(name)).map(({ name }) => name);
  if (scale.isParallel) {
    const outdated = outdatedPods(workload, scale.partition, wanted, podByName);
    return step(absent, [...tooMany, ...nextReplaced(outdated, podByName, names)]);
  }
  const firstUnready = wanted.find(({ name }) => !podByName.get(name)?.isReady)?.name;
  if (firstUnready !== undefined && absent.includes(firstUnready)) return step([firstUnready], []);
  if (isBusy) return step([], []);
  const last = tooMany[0];
  if (last !== undefined) return step([], [last]);
  return step([], nextReplaced(outdatedPods(workload, scale.partition, wanted, podByName), podByName, names));
}

function outdatedPods(
  workload: Workload,
  partition: number,
  wanted: readonly { readonly ordinal: number; readonly name: string }[],
  podByName: ReadonlyMap<string, RunningPod>,
): RunningPod[] {
  return wanted
    .filter(({ ordinal }) => ordinal >= partition)
    .map(({ name }) => podByName.get(name))
    .filter((pod) => pod !== undefined)
    .filter(({ templateHash }) => templateHash !== workload.templateHash)
    .reverse();
}

/** One at a time; a pod that is not ready goes at once, so that a repaired template replaces a broken one. */
function nextReplaced(
  outdated: readonly RunningPod[],
  podByName: ReadonlyMap<string, RunningPod>,
  names: ReadonlySet<string>,
): RunningPod[] {
  const pod = outdated.find(({ isReady }) => !isReady) ?? outdated[0];
  if (pod === undefined || pod.isTerminating) return [];
  const others = [...names].filter((name) => name !== pod.name).map((name) => podByName.get(name));
  return !pod.isReady || others.every((other) => other?.isReady && !other.isTerminating) ? [pod] : [];
}

function ordinalOf({ name }: RunningPod): number {
  return Number(name.slice(name.lastIndexOf("-") + 1));
}

const JOB_DELAY_SECONDS = 10;
const JOB_DELAY_MAX_SECONDS = 360;

function completionsStep(
  workload: Workload,
  scale: Extract<Scale, { kind: "completions" }>,
  pods: readonly RunningPod[],
): RolloutStep {
  const old = pods.filter(({ templateHash }) => templateHash !== workload.templateHash);
  if (old.length > 0) {
    return step(
      [],
      old.filter(({ isTerminating }) => !isTerminating),
    );
  }
  const succeeded = pods.filter(({ phase }) => phase === "Succeeded").length;
  const failed = pods.filter(({ phase }) => phase === "Failed").length;
  const active = pods.filter(({ phase }) => phase === "Pending" || phase === "Running");
  const hasFailed = failed > scale.backoffLimit;
  if (hasFailed) {
    return step(
      [],
      active.filter(({ isTerminating }) => !isTerminating),
    );
  }
  const left =
    scale.completions === undefined ? (succeeded > 0 ? 0 : scale.parallelism) : scale.completions - succeeded;
  const count = Math.max(0, Math.min(left, scale.parallelism) - active.length);
  const delay = failed === 0 ? 0 : Math.min(JOB_DELAY_MAX_SECONDS, JOB_DELAY_SECONDS * 2 ** (failed - 1));
  return step(newNames(workload, count, pods), [], delay);
}

function newNames(workload: Workload, count: number, pods: readonly RunningPod[]): string[] {
  const { kind, namespace, name, templateHash } = workload;
  const base = kind === "Deployment" ? `${name}-${templateHash}` : name;
  const seed = `${kind}/${namespace}/${name}/${templateHash}`;
  return generatedNames(base, seed, count, new Set(pods.map((pod) => pod.name)));
}
