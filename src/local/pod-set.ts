import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { ObjectOrigin, Pod, SourcedObject } from "../kube/objects.ts";
import type { Clock, Log } from "../lib/mod.ts";
import type { AddressPool } from "./network.ts";
import type { PodOptions, PodState, RunningPod } from "./pod-runner.ts";
import { startPod } from "./pod-runner.ts";
import { podWithStatus } from "./pod-status.ts";
import { planRollout } from "./rollout.ts";
import type { Workload } from "./workloads.ts";
import { podOf } from "./workloads.ts";

/** One pod, from the decision to run it until it is gone. */
export interface ManagedPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly address: string;
  readonly origin: ObjectOrigin | undefined;
  readonly running: RunningPod;
  /** As the API server would show it, patched and with its status. */
  object(): Pod;
}

/** What running a pod takes, for `pod-set.ts` to hand on. */
export type PodSetup = (
  pod: Pod,
  origin: ObjectOrigin | undefined,
  setPod: (patched: Pod) => void,
) => Pick<PodOptions, "obstacle" | "createSandbox" | "prepare">;

export interface PodSetOptions {
  readonly setUp: PodSetup;
  readonly addresses: AddressPool;
  readonly nodeName: string;
  readonly nodeAddress: string;
  readonly cwd: string;
  readonly logsDir: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** Anything that others can see of a pod has changed. */
  readonly onChange: () => void;
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
  readonly workload: string;
  readonly templateHash: string;
  readonly startedMs: number;
}

export function podSet(options: PodSetOptions): PodSet {
  const { clock, addresses } = options;
  const entries = new Map<string, Entry>();
  const delayed = new Map<string, "waiting" | "due">();
  let workloads: ReadonlyMap<string, Workload> = new Map();
  let isStopped = false;

  const podsOf = (workload: string) => [...entries.values()].filter((entry) => entry.workload === workload);
  const plan = (key: string, workload: Workload) => planRollout(workload, podsOf(key).map(runningPodOf));

  const create = (key: string, workload: Workload, name: string) => {
    const id = `${workload.namespace}/${name}`;
    if (entries.has(id)) return;
    entries.set(id, startEntry(options, key, workload, name));
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
  /** Jobs wait between attempts. */
  const isDue = (key: string, delaySeconds: number): boolean => {
    if (delaySeconds === 0 || delayed.get(key) === "due") {
      delayed.delete(key);
      return true;
    }
    if (!delayed.has(key)) {
      delayed.set(key, "waiting");
      clock.after(delaySeconds * 1000, () => {
        if (!delayed.has(key)) return;
        delayed.set(key, "due");
        options.onChange();
      });
    }
    return false;
  };
  const isSettledPod = (entry: Entry): boolean => {
    const { isReady, isHopeless, isTerminating, phase } = entry.running.state();
    if (isTerminating) return false;
    const isLate = clock.monotonic() - entry.startedMs > PATIENCE_MS;
    return isReady || isHopeless || isLate || phase === "Succeeded" || phase === "Failed";
  };
  return {
    setWorkloads(next) {
      workloads = new Map(
        next.map((workload) => [`${workload.kind}/${workload.namespace}/${workload.name}`, workload]),
      );
      for (const key of delayed.keys()) if (!workloads.has(key)) delayed.delete(key);
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
        if (step.create.length > 0 && isDue(key, step.createDelaySeconds)) {
          for (const name of step.create) create(key, workload, name);
        }
      }
    },
    pods: () => [...entries.values()],
    isSettled() {
      for (const entry of entries.values()) if (!isSettledPod(entry)) return false;
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

function runningPodOf({ name, templateHash, running }: Entry) {
  const { phase, isReady, isTerminating } = running.state();
  return { name, templateHash, phase, isReady, isTerminating };
}

function startEntry(options: PodSetOptions, key: string, workload: Workload, name: string): Entry {
  const { clock } = options;
  const address = options.addresses.take();
  const uid = randomUUID();
  const createdAt = new Date(clock.now()).toISOString();
  let pod = podOf(workload, name);
  let deletedAt: string | undefined;
  const describe = (state: PodState) =>
    podWithStatus(pod, {
      uid,
      createdAt,
      ...(deletedAt === undefined ? {} : { deletedAt }),
      nodeName: options.nodeName,
      nodeAddress: options.nodeAddress,
      address,
      phase: state.phase,
      isInitialized: state.phase !== "Pending",
      isReady: state.isReady,
      ...(state.reason === "" ? {} : { reason: "ContainersNotReady", message: state.reason }),
    });
  const starting: PodState = {
    phase: "Pending",
    isReady: false,
    isTerminating: false,
    reason: "starting",
    isHopeless: false,
    containers: [],
  };
  const setUp = options.setUp(describe(starting), workload.origin, (patched) => {
    pod = { ...patched, metadata: { ...pod.metadata, ...patched.metadata } };
    options.onChange();
  });
  const running = startPod({
    namespace: workload.namespace,
    name,
    address,
    cwd: options.cwd,
    logsDir: options.logsDir,
    ...setUp,
    clock,
    random: options.random,
    log: options.log,
    onChange: options.onChange,
  });
  return {
    namespace: workload.namespace,
    name,
    uid,
    address,
    origin: workload.origin,
    running,
    workload: key,
    templateHash: workload.templateHash,
    startedMs: clock.monotonic(),
    object() {
      const state = running.state();
      if (state.isTerminating) deletedAt ??= new Date(clock.now()).toISOString();
      return describe(state);
    },
  };
}

/** Objects as they are told to the control plane. */
export function podObjects(pods: readonly ManagedPod[]): (SourcedObject & { readonly object: Pod })[] {
  return pods.map((pod) => {
    const object = pod.object();
    return pod.origin === undefined ? { object } : { object, origin: pod.origin };
  });
}
