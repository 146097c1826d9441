/** Which proxies are subscribed, and which workload class each of them belongs to. */
import { classOf, type MeshSnapshot, type ProxyView, podOfProxy } from "../mesh/mod.ts";
import type { Peer, ResourceTable } from "../xds/resource.ts";
import type { ClassContent } from "./class-table.ts";
import type { TableSecrets } from "./table-secrets.ts";

export interface Subscription {
  readonly peer: Peer;
  readonly onChange: () => void;
  workload: Workload | undefined;
  table: ResourceTable | undefined;
}

/** A workload class that somebody is subscribed to, with what its last table was made of. */
export interface Workload {
  readonly key: string;
  readonly subscriptions: Set<Subscription>;
  view?: ProxyView;
  content?: ClassContent;
  secrets?: TableSecrets;
  table?: ResourceTable;
}

export interface WorkloadSet {
  /** With a snapshot at hand, a class that has a table already is served at once. */
  subscribe(peer: Peer, onChange: () => void, snapshot: MeshSnapshot | undefined): Subscription;
  close(subscription: Subscription): void;
  isOpen(subscription: Subscription): boolean;
  /** The newest subscription of a proxy. */
  find(uuid: string): Subscription | undefined;
  /** Workloads whose tables have to be looked at again although the world is the same. */
  mark(isStale: (workload: Workload) => boolean): void;
  /** Finds every proxy's class in a new world; returns all workloads. */
  placeAll(snapshot: MeshSnapshot): ReadonlySet<Workload>;
  /** Finds classes for new subscriptions in a world that is not new; returns the workloads that wait to be looked at. */
  placeNew(snapshot: MeshSnapshot): ReadonlySet<Workload>;
}

/** Creates an empty {@link WorkloadSet}. A workload lives as long as somebody is subscribed to it. */
export function createWorkloadSet(): WorkloadSet {
  const subscriptions = new Set<Subscription>();
  const workloads = new Map<string, Workload>();
  const unplaced = new Set<Subscription>();
  const stale = new Set<Workload>();

  const leave = (subscription: Subscription) => {
    const { workload } = subscription;
    subscription.workload = undefined;
    if (workload === undefined) return;
    workload.subscriptions.delete(subscription);
    if (workload.subscriptions.size > 0) return;
    workloads.delete(workload.key);
    stale.delete(workload);
  };
  /** A proxy whose pod is gone, or left the mesh, belongs nowhere and keeps the table that it has. */
  const place = (subscription: Subscription, snapshot: MeshSnapshot) => {
    const key = classKeyOf(snapshot, subscription.peer);
    if (key !== undefined && key === subscription.workload?.key) return;
    // Where a view of the new class cannot be generated, the last good resource of the old one serves.
    const { content } = subscription.workload ?? {};
    leave(subscription);
    if (key === undefined) return;
    let workload = workloads.get(key);
    if (workload === undefined) {
      workload = { key, subscriptions: new Set(), ...(content && { content }) };
      workloads.set(key, workload);
    }
    workload.subscriptions.add(subscription);
    subscription.workload = workload;
    stale.add(workload);
  };

  return {
    subscribe(peer, onChange, snapshot) {
      const subscription: Subscription = { peer, onChange, workload: undefined, table: undefined };
      subscriptions.add(subscription);
      if (snapshot !== undefined) place(subscription, snapshot);
      subscription.table = subscription.workload?.table;
      if (subscription.table === undefined) unplaced.add(subscription);
      return subscription;
    },
    close(subscription) {
      subscriptions.delete(subscription);
      unplaced.delete(subscription);
      leave(subscription);
    },
    isOpen: (subscription) => subscriptions.has(subscription),
    find: (uuid) => [...subscriptions].findLast(({ peer }) => peer.uuid === uuid),
    mark(isStale) {
      for (const workload of workloads.values()) if (isStale(workload)) stale.add(workload);
    },
    placeAll(snapshot) {
      for (const subscription of subscriptions) place(subscription, snapshot);
      unplaced.clear();
      stale.clear();
      return new Set(workloads.values());
    },
    placeNew(snapshot) {
      for (const subscription of unplaced) place(subscription, snapshot);
      unplaced.clear();
      const waiting = new Set(stale);
      stale.clear();
      return waiting;
    },
  };
}

function classKeyOf(snapshot: MeshSnapshot, peer: Peer): string | undefined {
  const pod = podOfProxy(snapshot, peer.uuid, peer);
  return pod === undefined ? undefined : classOf(snapshot, pod.namespace, pod.name);
}
