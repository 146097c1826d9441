import { invariant } from "../lib/mod.ts";
import { findClass, type MeshSnapshot } from "./snapshot.ts";
import type { ProxyView } from "./view.ts";
import { type PartStage, partView } from "./view-part.ts";

const STAGES: readonly PartStage[] = ["base", "endpoints", "routes", "inbound"];

/**
 * The complete desired state of a class of workloads: all parts in one list. The result, and each resource in it, is the
 * same object as in an earlier snapshot when it says the same. The class must exist in this snapshot.
 */
export function proxyView(snapshot: MeshSnapshot, classKey: string): ProxyView {
  const workload = findClass(snapshot, classKey);
  invariant(workload !== undefined, `no pod of generation ${snapshot.generation} has the class "${classKey}"`);
  const { namespace, serviceAccount } = workload;
  const parts = STAGES.map((stage) => partView(snapshot, workload, stage));
  return snapshot.memory.rememberFor(classKey, "view", parts, () => ({
    identity: { namespace, serviceAccount },
    resources: parts.flat(),
  }));
}
