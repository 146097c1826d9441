import type { Pod } from "../kube/objects.ts";

/** What is known of a pod that runs or is about to. */
export interface PodCondition {
  readonly uid: string;
  /** RFC 3339. */
  readonly createdAt: string;
  /** Set while the pod is being stopped. */
  readonly deletedAt?: string;
  readonly nodeName: string;
  readonly nodeAddress: string;
  /** Undefined until the pod has a network. */
  readonly address?: string;
  readonly phase: "Pending" | "Running" | "Succeeded" | "Failed";
  readonly isInitialized: boolean;
  readonly isReady: boolean;
  /** Why it is not ready: a short code and a sentence. */
  readonly reason?: string;
  readonly message?: string;
}

/** The pod as the API server would show it: with the fields that a scheduler and a kubelet fill in (core/v1 PodStatus). */
export function podWithStatus(pod: Pod, condition: PodCondition): Pod {
  const { address, reason, message } = condition;
  const why = {
    ...(reason === undefined ? {} : { reason }),
    ...(message === undefined ? {} : { message }),
  };
  const entry = (type: string, holds: boolean) => ({
    type,
    status: holds ? "True" : "False",
    ...(holds ? {} : why),
  });
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      uid: condition.uid,
      creationTimestamp: condition.createdAt,
      ...(condition.deletedAt === undefined ? {} : { deletionTimestamp: condition.deletedAt }),
    },
    spec: { ...pod.spec, nodeName: condition.nodeName },
    status: {
      phase: condition.phase,
      hostIP: condition.nodeAddress,
      ...(address === undefined ? {} : { podIP: address, podIPs: [{ ip: address }] }),
      conditions: [
        entry("PodScheduled", true),
        entry("Initialized", condition.isInitialized),
        entry("ContainersReady", condition.isReady),
        entry("Ready", condition.isReady),
      ],
    },
  };
}
