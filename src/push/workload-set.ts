/** Which proxies are subscribed, which workload class each of them belongs to, and which parts of views classes share. */
import {
  classOf,
  findClass,
  type Identity,
  type MeshSnapshot,
  type PartRef,
  partsOf,
  podOfProxy,
  type WorkloadClass,
} from "../mesh/mod.ts";
import type { Peer } from "../xds/resource.ts";
import { addTo, deleteFrom } from "./keyed-sets.ts";
import { createPartSet, type PartSet } from "./part-set.ts";
import type { Part, Subscription, Workload } from "./workload.ts";

export interface WorkloadSet {
  /** With a snapshot at hand, a class that has a table already is served at once. */
  subscribe(peer: Peer, onChange: () => void, snapshot: MeshSnapshot | undefined): Subscription;
  close(subscription: Subscription): void;
  /** All that somebody is subscribed to. */
  workloads(): Iterable<Workload>;
  /** The newest subscription of a proxy. */
  find(uuid: string): Subscription | undefined;
  /** The workloads of an identity have to be looked at again although the world is the same. */
  markIdentity(identity: Identity): void;
  /** So have those of which some part is not complete. */
  markUnsettled(): void;
  /** It could not be given a table, and is looked at again with the next {@link retryFailed}. */
  markFailed(workload: Workload): void;
  retryFailed(): void;
  /** Finds the classes of the proxies of these namespaces, of all without a list, and of new subscriptions. */
  place(snapshot: MeshSnapshot, namespaces?: ReadonlySet<string>): void;
  /** Classes may consist of other parts than before. */
  renewParts(snapshot: MeshSnapshot): void;
  /** Workloads that wait to be looked at; they wait no longer. */
  takeStale(): ReadonlySet<Workload>;
  /** The parts of all workloads. */
  readonly parts: Pick<PartSet, "all" | "unsettled" | "settle">;
}

/** Creates an empty {@link WorkloadSet}. A workload lives as long as somebody is subscribed to it, a part as long as a workload. */
export function createWorkloadSet(): WorkloadSet {
  const subscriptions = new Set<Subscription>();
  const byNamespace = new Map<string, Set<Subscription>>();
  const byIdentity = new Map<string, Set<Workload>>();
  const workloads = new Map<string, Workload>();
  const parts = createPartSet();
  const unplaced = new Set<Subscription>();
  const stale = new Set<Workload>();
  const failed = new Set<Workload>();

  const setParts = (workload: Workload, refs: readonly PartRef[], last: readonly Part[]) => {
    const before = workload.parts;
    workload.parts = refs.map((ref, position) => parts.obtain(ref, workload, last[position]?.content));
    for (const part of before) if (!workload.parts.includes(part)) parts.release(part, workload);
  };
  const leave = (subscription: Subscription) => {
    const { workload } = subscription;
    subscription.workload = undefined;
    if (workload === undefined) return;
    workload.subscriptions.delete(subscription);
    if (workload.subscriptions.size > 0) return;
    workloads.delete(workload.key);
    stale.delete(workload);
    failed.delete(workload);
    deleteFrom(byIdentity, keyOf(workload.identity), workload);
    for (const part of workload.parts) parts.release(part, workload);
  };
  const createWorkload = (own: WorkloadClass, snapshot: MeshSnapshot, last: readonly Part[]): Workload => {
    const { key, namespace, serviceAccount } = own;
    const identity = { namespace, serviceAccount };
    const workload: Workload = { key, identity, subscriptions: new Set(), parts: [] };
    setParts(workload, partsOf(snapshot, own), last);
    workloads.set(key, workload);
    addTo(byIdentity, keyOf(identity), workload);
    return workload;
  };
  /** A proxy whose pod is gone, or left the mesh, belongs nowhere and keeps the table that it has. */
  const placeOne = (subscription: Subscription, snapshot: MeshSnapshot) => {
    const own = classOfPeer(snapshot, subscription.peer);
    if (own !== undefined && own.key === subscription.workload?.key) return;
    const last = subscription.workload?.parts ?? [];
    leave(subscription);
    if (own === undefined) return;
    const workload = workloads.get(own.key) ?? createWorkload(own, snapshot, last);
    workload.subscriptions.add(subscription);
    subscription.workload = workload;
    stale.add(workload);
  };

  return {
    subscribe(peer, onChange, snapshot) {
      const subscription: Subscription = { peer, onChange, workload: undefined, table: undefined, isTold: false };
      if (snapshot !== undefined) placeOne(subscription, snapshot);
      subscriptions.add(subscription);
      addTo(byNamespace, peer.namespace, subscription);
      subscription.table = subscription.workload?.table;
      if (subscription.table === undefined) unplaced.add(subscription);
      return subscription;
    },
    close(subscription) {
      subscriptions.delete(subscription);
      deleteFrom(byNamespace, subscription.peer.namespace, subscription);
      unplaced.delete(subscription);
      leave(subscription);
      subscription.table = undefined;
    },
    workloads: () => workloads.values(),
    find(uuid) {
      let found: Subscription | undefined;
      for (const subscription of subscriptions) if (subscription.peer.uuid === uuid) found = subscription;
      return found;
    },
    markIdentity(identity) {
      for (const workload of byIdentity.get(keyOf(identity)) ?? []) stale.add(workload);
    },
    markUnsettled() {
      for (const part of parts.unsettled) for (const workload of part.workloads) stale.add(workload);
    },
    markFailed(workload) {
      // It may have gone meanwhile, and nobody would take it out again.
      if (workloads.get(workload.key) === workload) failed.add(workload);
    },
    retryFailed() {
      for (const workload of failed) stale.add(workload);
      failed.clear();
    },
    place(snapshot, namespaces) {
      if (namespaces === undefined) for (const subscription of subscriptions) placeOne(subscription, snapshot);
      for (const namespace of namespaces ?? []) {
        for (const subscription of byNamespace.get(namespace) ?? []) placeOne(subscription, snapshot);
      }
      for (const subscription of unplaced) placeOne(subscription, snapshot);
      unplaced.clear();
    },
    renewParts(snapshot) {
      for (const workload of workloads.values()) {
        const own = findClass(snapshot, workload.key);
        if (own === undefined) continue;
        setParts(workload, partsOf(snapshot, own), workload.parts);
        stale.add(workload);
      }
    },
    takeStale() {
      const taken = new Set(stale);
      stale.clear();
      return taken;
    },
    parts,
  };
}

function keyOf({ namespace, serviceAccount }: Identity): string {
  return `${namespace}/${serviceAccount}`;
}

function classOfPeer(snapshot: MeshSnapshot, peer: Peer): WorkloadClass | undefined {
  const pod = podOfProxy(snapshot, peer.uuid, peer);
  const key = pod === undefined ? undefined : classOf(snapshot, pod.namespace, pod.name);
  return key === undefined ? undefined : findClass(snapshot, key);
}
