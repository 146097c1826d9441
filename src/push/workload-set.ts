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

/** A workload lives as long as somebody is subscribed to it, a part as long as a workload. */
export class WorkloadSet {
  readonly #subscriptions = new Set<Subscription>();
  readonly #byNamespace = new Map<string, Set<Subscription>>();
  readonly #byIdentity = new Map<string, Set<Workload>>();
  readonly #workloads = new Map<string, Workload>();
  readonly #parts = createPartSet();
  readonly #unplaced = new Set<Subscription>();
  readonly #stale = new Set<Workload>();
  readonly #failed = new Set<Workload>();

  /** The parts of all workloads. */
  get parts(): Pick<PartSet, "all" | "unsettled" | "settle"> {
    return this.#parts;
  }

  /** With a snapshot at hand, a class that has a table already is served at once. */
  subscribe(peer: Peer, onChange: () => void, snapshot: MeshSnapshot | undefined): Subscription {
    const subscription: Subscription = { peer, onChange, workload: undefined, table: undefined, isTold: false };
    if (snapshot !== undefined) this.#place(subscription, snapshot);
    this.#subscriptions.add(subscription);
    addTo(this.#byNamespace, peer.namespace, subscription);
    subscription.table = subscription.workload?.table;
    if (subscription.table === undefined) this.#unplaced.add(subscription);
    return subscription;
  }

  close(subscription: Subscription): void {
    this.#subscriptions.delete(subscription);
    deleteFrom(this.#byNamespace, subscription.peer.namespace, subscription);
    this.#unplaced.delete(subscription);
    this.#leave(subscription);
    subscription.table = undefined;
  }

  /** All that somebody is subscribed to. */
  workloads(): Iterable<Workload> {
    return this.#workloads.values();
  }

  /** The newest subscription of a proxy. */
  find(uuid: string): Subscription | undefined {
    let found: Subscription | undefined;
    for (const subscription of this.#subscriptions) if (subscription.peer.uuid === uuid) found = subscription;
    return found;
  }

  /** The workloads of an identity have to be looked at again although the world is the same. */
  markIdentity(identity: Identity): void {
    for (const workload of this.#byIdentity.get(keyOf(identity)) ?? []) this.#stale.add(workload);
  }

  /** So have those of which some part is not complete. */
  markUnsettled(): void {
    for (const part of this.#parts.unsettled) for (const workload of part.workloads) this.#stale.add(workload);
  }

  /** It could not be given a table, and is looked at again with the next {@link retryFailed}. */
  markFailed(workload: Workload): void {
    // It may have gone meanwhile, and nobody would take it out again.
    if (this.#workloads.get(workload.key) === workload) this.#failed.add(workload);
  }

  retryFailed(): void {
    for (const workload of this.#failed) this.#stale.add(workload);
    this.#failed.clear();
  }

  /** Finds the classes of the proxies of these namespaces, of all without a list, and of new subscriptions. */
  place(snapshot: MeshSnapshot, namespaces?: ReadonlySet<string>): void {
    if (namespaces === undefined) for (const subscription of this.#subscriptions) this.#place(subscription, snapshot);
    for (const namespace of namespaces ?? []) {
      for (const subscription of this.#byNamespace.get(namespace) ?? []) this.#place(subscription, snapshot);
    }
    for (const subscription of this.#unplaced) this.#place(subscription, snapshot);
    this.#unplaced.clear();
  }

  /** Classes may consist of other parts than before. */
  renewParts(snapshot: MeshSnapshot): void {
    for (const workload of this.#workloads.values()) {
      const own = findClass(snapshot, workload.key);
      if (own === undefined) continue;
      this.#setParts(workload, partsOf(snapshot, own), workload.parts);
      this.#stale.add(workload);
    }
  }

  /** Workloads that wait to be looked at; they wait no longer. */
  takeStale(): ReadonlySet<Workload> {
    const taken = new Set(this.#stale);
    this.#stale.clear();
    return taken;
  }

  /** A proxy whose pod is gone, or left the mesh, belongs nowhere and keeps the table that it has. */
  #place(subscription: Subscription, snapshot: MeshSnapshot): void {
    const own = classOfPeer(snapshot, subscription.peer);
    if (own !== undefined && own.key === subscription.workload?.key) return;
    const last = subscription.workload?.parts ?? [];
    this.#leave(subscription);
    if (own === undefined) return;
    const workload = this.#workloads.get(own.key) ?? this.#create(own, snapshot, last);
    workload.subscriptions.add(subscription);
    subscription.workload = workload;
    this.#stale.add(workload);
  }

  #create(own: WorkloadClass, snapshot: MeshSnapshot, last: readonly Part[]): Workload {
    const { key, namespace, serviceAccount } = own;
    const identity = { namespace, serviceAccount };
    const workload: Workload = { key, identity, subscriptions: new Set(), parts: [] };
    this.#setParts(workload, partsOf(snapshot, own), last);
    this.#workloads.set(key, workload);
    addTo(this.#byIdentity, keyOf(identity), workload);
    return workload;
  }

  #leave(subscription: Subscription): void {
    const { workload } = subscription;
    subscription.workload = undefined;
    if (workload === undefined) return;
    workload.subscriptions.delete(subscription);
    if (workload.subscriptions.size > 0) return;
    this.#workloads.delete(workload.key);
    this.#stale.delete(workload);
    this.#failed.delete(workload);
    deleteFrom(this.#byIdentity, keyOf(workload.identity), workload);
    for (const part of workload.parts) this.#parts.release(part, workload);
  }

  #setParts(workload: Workload, refs: readonly PartRef[], last: readonly Part[]): void {
    const before = workload.parts;
    workload.parts = refs.map((ref, position) => this.#parts.obtain(ref, workload, last[position]?.content));
    for (const part of before) if (!workload.parts.includes(part)) this.#parts.release(part, workload);
  }
}

function keyOf({ namespace, serviceAccount }: Identity): string {
  return `${namespace}/${serviceAccount}`;
}

function classOfPeer(snapshot: MeshSnapshot, peer: Peer): WorkloadClass | undefined {
  const pod = podOfProxy(snapshot, peer.uuid, peer);
  const key = pod === undefined ? undefined : classOf(snapshot, pod.namespace, pod.name);
  return key === undefined ? undefined : findClass(snapshot, key);
}
