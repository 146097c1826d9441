import type { Steps } from "../lib/mod.ts";
import { sameContent } from "./content-equality.ts";
import type {
  EndpointsRecord,
  HttpRouteGroupRecord,
  MeshConfigRecord,
  MeshRecord,
  NamespaceRecord,
  PodRecord,
  ServiceAccountRecord,
  ServiceRecord,
  TcpRouteRecord,
  TrafficSplitRecord,
  TrafficTargetRecord,
} from "./records.ts";

/** The record type of each kind. */
export interface RecordByKind {
  readonly Namespace: NamespaceRecord;
  readonly ServiceAccount: ServiceAccountRecord;
  readonly Service: ServiceRecord;
  readonly EndpointSlice: EndpointsRecord;
  readonly Endpoints: EndpointsRecord;
  readonly Pod: PodRecord;
  readonly TrafficTarget: TrafficTargetRecord;
  readonly HTTPRouteGroup: HttpRouteGroupRecord;
  readonly TCPRoute: TcpRouteRecord;
  readonly TrafficSplit: TrafficSplitRecord;
  readonly MeshConfig: MeshConfigRecord;
}
export type RecordKind = keyof RecordByKind;

/** What happened to one record. The namespace of a Namespace's own record is empty. */
export type RecordChange =
  | { readonly type: "put"; readonly record: MeshRecord }
  | { readonly type: "remove"; readonly kind: RecordKind; readonly namespace: string; readonly name: string };

/** The records of one namespace: of each kind by name. */
export type NamespaceRecords = { readonly [K in RecordKind]: ReadonlyMap<string, RecordByKind[K]> };

/**
 * All records, grouped by namespace and kind, so that a change copies only the group that it touches and later stages
 * see by identity which namespaces and which of their groups changed.
 */
export interface World {
  /** Keyed by namespace; under the empty one the records of Namespaces. */
  readonly groups: ReadonlyMap<string, NamespaceRecords>;
  /** Namespaces that hold at least one record, in order; the same list while it says the same. */
  readonly namespaces: readonly string[];
}

export const EMPTY_WORLD: World = { groups: new Map(), namespaces: [] };

const NO_GROUP: ReadonlyMap<string, never> = new Map<string, never>();

/** Of a namespace that holds nothing. */
export const NO_RECORDS: NamespaceRecords = {
  Namespace: NO_GROUP,
  ServiceAccount: NO_GROUP,
  Service: NO_GROUP,
  EndpointSlice: NO_GROUP,
  Endpoints: NO_GROUP,
  Pod: NO_GROUP,
  TrafficTarget: NO_GROUP,
  HTTPRouteGroup: NO_GROUP,
  TCPRoute: NO_GROUP,
  TrafficSplit: NO_GROUP,
  MeshConfig: NO_GROUP,
};

/** The records of one kind in one namespace, by name; the same map as before unless one of them changed. */
export function recordsOf<K extends RecordKind>(
  { groups }: World,
  kind: K,
  namespace: string,
): ReadonlyMap<string, RecordByKind[K]> {
  return (groups.get(namespace) ?? NO_RECORDS)[kind];
}

/** One record before and after; undefined where it is not there. */
export interface RecordDifference<R> {
  readonly before: R | undefined;
  readonly after: R | undefined;
}

/** The records of a group that are other objects than before; undefined when there are more than `most`, or no group before. */
export function recordDifferences<R>(
  before: ReadonlyMap<string, R> | undefined,
  after: ReadonlyMap<string, R>,
  most: number,
): readonly RecordDifference<R>[] | undefined {
  if (before === undefined) return undefined;
  const found: RecordDifference<R>[] = [];
  if (before === after) return found;
  let kept = 0;
  for (const [name, record] of after) {
    const earlier = before.get(name);
    if (earlier !== undefined) kept += 1;
    if (earlier === record) continue;
    found.push({ before: earlier, after: record });
    if (found.length > most) return undefined;
  }
  if (before.size - kept + found.length > most) return undefined;
  if (kept < before.size) {
    for (const [name, record] of before) if (!after.has(name)) found.push({ before: record, after: undefined });
  }
  return found;
}

/** Which records changed: per kind, `namespace/name`. */
export type ChangedKeys = ReadonlyMap<RecordKind, ReadonlySet<string>>;

/** The world after changes. */
interface Applied {
  readonly world: World;
  readonly changed: ChangedKeys;
}

/** A group as a batch leaves it. */
interface TouchedGroup {
  readonly kind: RecordKind;
  readonly namespace: string;
  readonly before: ReadonlyMap<string, MeshRecord>;
  readonly after: Map<string, MeshRecord>;
  /** Names of records that may differ. */
  readonly names: Set<string>;
}

/** The world after `changes`, in order, and the records that differ by content; the same world when none does. */
export function* applyChanges(world: World, changes: readonly RecordChange[]): Steps<Applied> {
  const touched = new Map<string, TouchedGroup>();
  for (const change of changes) {
    yield;
    const { kind, name } = change.type === "put" ? change.record : change;
    const namespace = namespaceOf(change);
    const groupKey = `${kind}/${namespace}`;
    let group = touched.get(groupKey);
    if (group === undefined) {
      const before = recordsOf(world, kind, namespace);
      if (isAlready(before.get(name), change)) continue;
      group = { kind, namespace, before, after: new Map(before), names: new Set() };
      touched.set(groupKey, group);
    }
    if (change.type === "put") group.after.set(name, change.record);
    else group.after.delete(name);
    group.names.add(name);
  }
  return yield* settle(world, [...touched.values()]);
}

/** Most events say what is known already: they cost no copy of their group. */
function isAlready(before: MeshRecord | undefined, change: RecordChange): boolean {
  if (change.type === "remove") return before === undefined;
  return before !== undefined && sameContent(before, change.record);
}

function* settle(world: World, touched: readonly TouchedGroup[]): Steps<Applied> {
  const changed = new Map<RecordKind, Set<string>>();
  if (touched.length === 0) return { world, changed };
  const groups = new Map(world.groups);
  let areNamespacesSame = true;
  for (const group of touched) {
    const { kind, namespace, after } = group;
    const keys = changed.get(kind) ?? new Set<string>();
    let isSame = true;
    for (const name of group.names) {
      yield;
      if (isRestored(group, name)) continue;
      isSame = false;
      keys.add(`${namespace}/${name}`);
    }
    if (isSame) continue;
    changed.set(kind, keys);
    const known = groups.get(namespace);
    // The group holds records of its kind: `RecordChange` is the only way in.
    const next: NamespaceRecords = { ...(known ?? NO_RECORDS), [kind]: after.size === 0 ? NO_GROUP : after };
    const isGone = after.size === 0 && isEmptied(next);
    areNamespacesSame &&= known !== undefined && !isGone;
    if (isGone) groups.delete(namespace);
    else groups.set(namespace, next);
  }
  if (changed.size === 0) return { world, changed };
  return { world: { groups, namespaces: areNamespacesSame ? world.namespaces : occupied(groups) }, changed };
}

/** Whether the record says what it said before; then it is the same object again. */
function isRestored({ before, after }: TouchedGroup, name: string): boolean {
  const [left, right] = [before.get(name), after.get(name)];
  if (left === undefined || right === undefined) return left === right;
  if (!sameContent(left, right)) return false;
  after.set(name, left);
  return true;
}

function isEmptied(records: NamespaceRecords): boolean {
  return Object.values(records).every((group) => group.size === 0);
}

function occupied(groups: World["groups"]): readonly string[] {
  return [...groups.keys()].filter((namespace) => namespace !== "").sort();
}

function namespaceOf(change: RecordChange): string {
  if (change.type === "remove") return change.kind === "Namespace" ? "" : change.namespace;
  return change.record.kind === "Namespace" ? "" : change.record.namespace;
}
