/** Who is subscribed, to what, and what that is made of. */
import type { Identity, PartRef } from "../mesh/mod.ts";
import type { Peer, ResourceTable } from "../xds/resource.ts";
import type { ClassTable, HeldSecrets } from "./class-table.ts";
import type { PartContent } from "./part-content.ts";

export interface Subscription {
  readonly peer: Peer;
  readonly onChange: () => void;
  workload: Workload | undefined;
  table: ResourceTable | undefined;
  /** It was told of this table and has not taken it yet. */
  isTold: boolean;
}

/** A workload class that somebody is subscribed to. */
export interface Workload {
  readonly key: string;
  readonly identity: Identity;
  readonly subscriptions: Set<Subscription>;
  parts: readonly Part[];
  secrets?: HeldSecrets;
  table?: ClassTable;
}

/** A part of the views of the workloads that have it. */
export interface Part {
  readonly ref: PartRef;
  readonly workloads: Set<Workload>;
  /** Until the part was looked at itself: what was in its place before, in case that it cannot be generated. */
  content?: PartContent;
  isLookedAt: boolean;
  /** Why its view could not be made the last time. */
  failure?: string;
}
