import { inboundResources } from "./inbound-view.ts";
import { type OutboundOwner, outboundOwner } from "./outbound-ports.ts";
import { outboundRoutes } from "./outbound-routes.ts";
import { outboundBase, outboundEndpoints } from "./outbound-view.ts";
import type { MeshSnapshot } from "./snapshot.ts";
import type { ResourceView } from "./view.ts";
import { grantsTo } from "./visible-services.ts";
import type { WorkloadClass } from "./workload-class.ts";

/**
 * What the view of a workload class is made of. Classes that agree in a part share it: in permissive mode all have one
 * base and one list of endpoints, those of a namespace its routes, and where it has a scope all three; else those of an identity have these three.
 */
export type PartStage = "base" | "endpoints" | "routes" | "inbound";

/** Names one part. */
export interface PartRef {
  readonly stage: PartStage;
  /** `<stage> <owner>`. */
  readonly key: string;
  /** A class that has it. */
  readonly classKey: string;
}

export function partKey(stage: PartStage, owner: string): string {
  return `${stage} ${owner}`;
}

/** The parts of the view of `workload`, in the order of their resources. They depend on the mode and on whether the namespace has a scope. */
export function partsOf(snapshot: MeshSnapshot, workload: WorkloadClass): readonly PartRef[] {
  const { visibility, routes } = outboundOwner(snapshot, workload);
  const classKey = workload.key;
  return [
    { stage: "base", key: partKey("base", visibility), classKey },
    { stage: "endpoints", key: partKey("endpoints", visibility), classKey },
    { stage: "routes", key: partKey("routes", routes), classKey },
    { stage: "inbound", key: partKey("inbound", classKey), classKey },
  ];
}

/** The resources of one part of a class's view; the same list as in an earlier snapshot when it says the same. */
export function partView(snapshot: MeshSnapshot, workload: WorkloadClass, stage: PartStage): readonly ResourceView[] {
  const owner: OutboundOwner = outboundOwner(snapshot, workload);
  switch (stage) {
    case "base":
      return snapshot.derived.once(partKey(stage, owner.visibility), () => outboundBase(snapshot, owner));
    case "endpoints":
      return snapshot.derived.once(partKey(stage, owner.visibility), () => outboundEndpoints(snapshot, owner));
    case "routes":
      return snapshot.derived.once(partKey(stage, owner.routes), () => outboundRoutes(snapshot, owner));
    case "inbound":
      return keptInbound(snapshot, workload);
  }
}

/** A class's own resources have nothing to do with endpoints; each is kept when it says the same as before. */
function keptInbound(snapshot: MeshSnapshot, workload: WorkloadClass): readonly ResourceView[] {
  const { memory, structure } = snapshot;
  const inputs = [structure, workload, ...grantsTo(snapshot, workload)];
  return memory.rememberFor(workload.key, "inbound", inputs, () =>
    inboundResources(snapshot, workload).map((resource) =>
      memory.remember(workload, `${resource.kind} ${resource.name}`, [resource], () => resource),
    ),
  );
}
