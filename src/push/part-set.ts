/** Parts of views that some workload has. */
import type { PartRef } from "../mesh/mod.ts";
import type { PartContent } from "./part-content.ts";
import type { Part, Workload } from "./workload.ts";

export interface PartSet {
  readonly all: ReadonlyMap<string, Part>;
  /** Parts that nobody looked at yet, or that lack something. */
  readonly unsettled: ReadonlySet<Part>;
  /** The part for a workload. Where a view of a new one cannot be generated, the last good resource of `last` serves. */
  obtain(ref: PartRef, workload: Workload, last: PartContent | undefined): Part;
  /** The workload has it no more. */
  release(part: Part, workload: Workload): void;
  /** The part was looked at. */
  settle(part: Part, isComplete: boolean): void;
}

/** Creates an empty {@link PartSet}. A part lives as long as some workload has it. */
export function createPartSet(): PartSet {
  const all = new Map<string, Part>();
  const unsettled = new Set<Part>();
  return {
    all,
    unsettled,
    obtain(ref, workload, last) {
      let part = all.get(ref.key);
      if (part === undefined) {
        part = { ref, workloads: new Set(), isLookedAt: false, ...(last && { content: last }) };
        all.set(ref.key, part);
        unsettled.add(part);
      }
      part.workloads.add(workload);
      return part;
    },
    release(part, workload) {
      part.workloads.delete(workload);
      if (part.workloads.size > 0) return;
      all.delete(part.ref.key);
      unsettled.delete(part);
    },
    settle(part, isComplete) {
      part.isLookedAt = true;
      // It may have gone while its views were worked out.
      if (isComplete || all.get(part.ref.key) !== part) unsettled.delete(part);
      else unsettled.add(part);
    },
  };
}
