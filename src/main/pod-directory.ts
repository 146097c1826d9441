import type { ObjectEvent } from "../kube/mod.ts";
import type { KubeObject, PodStatus } from "../kube/objects.ts";
import type { Steps } from "../lib/mod.ts";
import type { PodRecord, RecordChange } from "../mesh/mod.ts";
import type { PodReadiness } from "./proxy-status.ts";

/** The pods as they are now, with what their source says about their readiness. */
export interface PodDirectory {
  /** Takes in what a batch says, in steps: there may be tens of thousands of pods in it. */
  note(events: readonly ObjectEvent[], changes: readonly RecordChange[]): Steps<void>;
  pods(): readonly PodRecord[];
  find(namespace: string, name: string): PodRecord | undefined;
  readinessOf(namespace: string, name: string): PodReadiness;
}

/** Creates an empty {@link PodDirectory}. It holds what the world holds, and no more. */
export function createPodDirectory(): PodDirectory {
  const records = new Map<string, PodRecord>();
  const readiness = new Map<string, PodReadiness>();
  const noteRecord = (change: RecordChange) => {
    if (change.type === "put" && change.record.kind === "Pod") records.set(keyOf(change.record), change.record);
    else if (change.type === "remove" && change.kind === "Pod") {
      records.delete(keyOf(change));
      readiness.delete(keyOf(change));
    }
  };
  const noteReadiness = ({ kind, metadata, status }: KubeObject) => {
    if (kind !== "Pod") return;
    const key = keyOf({ namespace: metadata.namespace ?? "default", name: metadata.name });
    if (records.has(key)) readiness.set(key, readinessIn(status));
  };
  return {
    *note(events, changes) {
      for (const change of changes) {
        noteRecord(change);
        yield;
      }
      for (const event of events) {
        if (event.type === "apply") noteReadiness(event.object);
        if (event.type !== "reset") continue;
        for (const { object } of event.objects) {
          noteReadiness(object);
          yield;
        }
      }
    },
    pods: () => [...records.values()],
    find: (namespace, name) => records.get(keyOf({ namespace, name })),
    readinessOf: (namespace, name) => readiness.get(keyOf({ namespace, name })) ?? { isReady: false, reason: "" },
  };
}

const keyOf = ({ namespace, name }: { readonly namespace: string; readonly name: string }) => `${namespace}/${name}`;

/** A pod without a Ready condition, as people write them by hand, counts as ready once it has an address. */
function readinessIn(status: unknown): PodReadiness {
  const { conditions, podIP } = (status ?? {}) as PodStatus;
  const ready = Array.isArray(conditions) ? conditions.find(({ type }) => type === "Ready") : undefined;
  if (ready === undefined) return { isReady: typeof podIP === "string" && podIP !== "", reason: "" };
  return { isReady: ready.status === "True", reason: ready.message ?? ready.reason ?? "" };
}
