import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../lib/mod.ts";
import { type ManagedPod, type PodHost, startManagedPod } from "./managed-pod.ts";
import type { AddressPool } from "./network.ts";
import { planRollout } from "./rollout.ts";
import type { Workload } from "./workloads.ts";

export interface PodSetOptions extends PodHost {
  readonly addresses: AddressPool;
}

/** The pods of all workloads: started, replaced and stopped as the workloads ask. */
export interface PodSet {
  /** From here on these are the workloads. */
  setWorkloads(workloads: readonly Workload[]): void;
  /** Takes the next steps; to be called after a change. */
  reconcile(): void;
  pods(): readonly ManagedPod[];
  /** Whether nothing more is to be expected unless somebody changes something. */
  isSettled(): boolean;
  /** Ends all pods, with at most `graceMs` for their programs. */
  stop(graceMs: number): Promise<void>;
}

/** Endpoints are taken back this long before a program is told to end, so that nobody sends requests to it any more. */
const DRAIN_MS = 1000;
/** A pod that has not become ready by then is not waited for. */
const PATIENCE_MS = 60_000;

interface Entry extends ManagedPod {
  /** Key of the workload that it belongs to. */
  readonly workload: string;
  readonly templateHash: string;
  readonly startedMs: number;
}

export function podSet(options: PodSetOptions): PodSet {
  const { clock, addresses } = options;
  const entries = new Map<string, Entry>();
  const delays = createDelays(clock, options.onChange);
  let workloads: ReadonlyMap<string, Workload> = new Map();
  let isStopped = false;

  const podsOf = (workload: string) => [...entries.values()].filter((entry) => entry.workload === workload);
  const plan = (key: string, workload: Workload) => planRollout(workload, podsOf(key).map(runningPodOf));

  const create = (key: string, workload: Workload, name: string) => {
    const id = `${workload.namespace}/${name}`;
    if (entries.has(id)) return;
    const { templateHash } = workload;
    const pod = startManagedPod(options, workload, name, addresses.take());
    entries.set(id, { ...pod, workload: key, templateHash, startedMs: clock.monotonic() });
  };
  const remove = (entry: Entry) => {
    if (entry.running.state().isTerminating) return;
    const drainMs = entry.running.state().isReady ? DRAIN_MS : 0;
    const end = entry.running.stop(drainMs).then(async () => {
      entries.delete(`${entry.namespace}/${entry.name}`);
      addresses.give(entry.address);
      await rm(join(options.logsDir, entry.namespace, entry.name), { recursive: true, force: true });
      options.onChange();
    });
    end.catch((error: unknown) =>
      options.log.error("a pod could not be removed", { pod: entry.name, error: String(error) }),
    );
  };
  return {
    setWorkloads(next) {
      workloads = new Map(
        next.map((workload) => [`${workload.kind}/${workload.namespace}/${workload.name}`, workload]),
      );
      delays.retain((key) => workloads.has(key));
    },
    reconcile() {
      if (isStopped) return;
      for (const entry of entries.values()) if (!workloads.has(entry.workload)) remove(entry);
      for (const [key, workload] of workloads) {
        const step = plan(key, workload);
        for (const name of step.remove) {
          const entry = entries.get(`${workload.namespace}/${name}`);
          if (entry?.workload === key) remove(entry);
        }
        if (step.create.length > 0 && delays.isDue(key, step.createDelaySeconds * 1000)) {
          for (const name of step.create) create(key, workload, name);
        }
      }
    },
    pods: () => [...entries.values()],
    isSettled() {
      for (const entry of entries.values()) if (!isSettledPod(entry, clock.monotonic())) return false;
      for (const [key, workload] of workloads) {
        const { create: missing, createDelaySeconds } = plan(key, workload);
        if (createDelaySeconds === 0 && missing.some((name) => !entries.has(`${workload.namespace}/${name}`)))
          return false;
      }
      return true;
    },
    async stop(graceMs) {
      isStopped = true;
      await Promise.all([...entries.values()].map(({ running }) => running.stop(0, graceMs)));
    },
  };
}

/** Whether nothing more is to be expected of it, or it has taken too long. One that is ending is still to be waited for. */
function isSettledPod({ running, startedMs }: Entry, nowMs: number): boolean {
  const { isReady, isHopeless, isTerminating, phase } = running.state();
  if (isTerminating) return false;
  return isReady || isHopeless || nowMs - startedMs > PATIENCE_MS || phase === "Succeeded" || phase === "Failed";
}

/** Times that have to pass before something may be done, each beginning when it is first asked for. */
interface Delays {
  /** Whether `delayMs` have passed since the first call for `key`; once that is so, the next call begins anew. */
  isDue(key: string, delayMs: number): boolean;
  retain(isWanted: (key: string) => boolean): void;
}

function createDelays(clock: Clock, onDue: () => void): Delays {
  const states = new Map<string, "waiting" | "due">();
  return {
    isDue(key, delayMs) {
      if (delayMs === 0 || states.get(key) === "due") {
        states.delete(key);
        return true;
      }
      if (!states.has(key)) {
        states.set(key, "waiting");
        clock.after(delayMs, () => {
          if (!states.has(key)) return;
          states.set(key, "due");
          onDue();
        });
      }
      return false;
    },
    retain(isWanted) {
      for (const key of states.keys()) if (!isWanted(key)) states.delete(key);
    },
  };
}

function runningPodOf({ name, templateHash, running }: Entry) {
  const { phase, isReady, isTerminating } = running.state();
  return { name, templateHash, phase, isReady, isTerminating };
}
