import type { ObjectEvent } from "../kube/mod.ts";
import type { PodStatus } from "../kube/objects.ts";
import type { PodRecord, RecordChange } from "../mesh/mod.ts";
import type { PodReadiness } from "./proxy-status.ts";

/** The pods as they are now, with what their source says about their readiness. */
export interface PodDirectory {
  note(events: readonly ObjectEvent[], changes: readonly RecordChange[]): void;
  pods(): readonly PodRecord[];
  find(namespace: string, name: string): PodRecord | undefined;
  readinessOf(namespace: string, name: string): PodReadiness;
}

/** Creates an empty {@link PodDirectory}. It holds what the world holds, and no more. */
export function createPodDirectory(): PodDirectory {
  const records = new Map<string, PodRecord>();
  const readiness = new Map<string, PodReadiness>();
  return {
    note(events, changes) {
      for (const change of changes) {
        if (change.type === "put" && change.record.kind === "Pod") records.set(keyOf(change.record), change.record);
        else if (change.type === "remove" && change.kind === "Pod") {
          records.delete(keyOf(change));
          readiness.delete(keyOf(change));
        }
      }
      for (const { object } of objectsOf(events)) {
        if (object.kind !== "Pod") continue;
        const key = keyOf({ namespace: object.metadata.namespace ?? "default", name: object.metadata.name });
        if (records.has(key)) readiness.set(key, readinessIn(object.status));
      }
    },
    pods: () => [...records.values()],
    find: (namespace, name) => records.get(keyOf({ namespace, name })),
    readinessOf: (namespace, name) => readiness.get(keyOf({ namespace, name })) ?? { isReady: false, reason: "" },
  };
}

const keyOf = ({ namespace, name }: { readonly namespace: string; readonly name: string }) => `${namespace}/${name}`;

function objectsOf(events: readonly ObjectEvent[]) {
  return events.flatMap((event) => (event.type === "reset" ? event.objects : event.type === "apply" ? [event] : []));
}

/** A pod without a Ready condition, as people write them by hand, counts as ready once it has an address. */
function readinessIn(status: unknown): PodReadiness {
  const { conditions, podIP } = (status ?? {}) as PodStatus;
  const ready = Array.isArray(conditions) ? conditions.find(({ type }) => type === "Ready") : undefined;
  if (ready === undefined) return { isReady: typeof podIP === "string" && podIP !== "", reason: "" };
  return { isReady: ready.status === "True", reason: ready.message ?? ready.reason ?? "" };
}
