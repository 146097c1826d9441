import { randomUUID } from "node:crypto";
import type { ObjectOrigin, Pod, SourcedObject } from "../kube/objects.ts";
import type { Clock, Log } from "../lib/mod.ts";
import { STARTING } from "./container.ts";
import { type PodOptions, type PodState, type RunningPod, startPod } from "./pod-runner.ts";
import { podWithStatus } from "./pod-status.ts";
import { podOf, type Workload } from "./workloads.ts";

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

/** What running a pod takes, apart from what every pod of the node needs. */
export type PodSetup = (
  pod: Pod,
  origin: ObjectOrigin | undefined,
  setPod: (patched: Pod) => void,
) => Pick<PodOptions, "obstacle" | "createSandbox" | "prepare">;

/** What every pod of the node needs. */
export interface PodHost {
  readonly setUp: PodSetup;
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

const FIRST_STATE: PodState = {
  phase: "Pending",
  isReady: false,
  isTerminating: false,
  reason: STARTING,
  isHopeless: false,
  containers: [],
};

/** Starts the pod `name` of a workload at `address`. */
export function startManagedPod(host: PodHost, workload: Workload, name: string, address: string): ManagedPod {
  const { clock, nodeName, nodeAddress } = host;
  const { namespace, origin } = workload;
  const uid = randomUUID();
  const createdAt = new Date(clock.now()).toISOString();
  let pod = podOf(workload, name);
  let deletedAt: string | undefined;
  const describe = ({ phase, isReady, reason }: PodState) =>
    podWithStatus(pod, {
      uid,
      createdAt,
      ...(deletedAt === undefined ? {} : { deletedAt }),
      nodeName,
      nodeAddress,
      address,
      phase,
      isInitialized: phase !== "Pending",
      isReady,
      ...(reason === "" ? {} : { reason: "ContainersNotReady", message: reason }),
    });
  const setUp = host.setUp(describe(FIRST_STATE), origin, (patched) => {
    pod = { ...patched, metadata: { ...pod.metadata, ...patched.metadata } };
    host.onChange();
  });
  const running = startPod({ ...host, ...setUp, namespace, name, address });
  return {
    namespace,
    name,
    uid,
    address,
    origin,
    running,
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
