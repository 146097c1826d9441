import { invariant } from "../lib/mod.ts";
import { grantsTo, inboundResources } from "./inbound-view.ts";
import { outboundResources } from "./outbound-view.ts";
import { findClass, type MeshSnapshot } from "./snapshot.ts";
import type { ProxyView, ResourceView } from "./view.ts";
import type { WorkloadClass } from "./workload-class.ts";

/**
 * The complete desired state of a class of workloads. The result, and each resource in it, is the same object as in an
 * earlier snapshot when it says the same. The class must exist in this snapshot.
 */
export function proxyView(snapshot: MeshSnapshot, classKey: string): ProxyView {
  const workload = findClass(snapshot, classKey);
  invariant(workload !== undefined, `no pod of generation ${snapshot.generation} has the class "${classKey}"`);
  return snapshot.derived.once(`view ${classKey}`, () => makeView(snapshot, workload));
}

function makeView(snapshot: MeshSnapshot, workload: WorkloadClass): ProxyView {
  const { memory, options } = snapshot;
  const { namespace, serviceAccount } = workload;
  const identity = { namespace, serviceAccount };
  const outbound = outboundResources(snapshot, identity);
  const inbound = keptInbound(snapshot, workload);
  return memory.rememberNamed(`class ${workload.key}`, [options, outbound, inbound], () => ({
    identity,
    resources: [...outbound, ...inbound],
  }));
}

/** A class's own resources have nothing to do with endpoints; each is kept when it says the same as before. */
function keptInbound(snapshot: MeshSnapshot, workload: WorkloadClass): readonly ResourceView[] {
  const { memory, structure } = snapshot;
  return memory.rememberNamed(`inbound ${workload.key}`, [structure, workload, ...grantsTo(snapshot, workload)], () =>
    inboundResources(snapshot, workload).map((resource) =>
      memory.remember(workload, `${resource.kind} ${resource.name}`, [resource], () => resource),
    ),
  );
}
