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

/**
 * All records, grouped by kind and namespace, so that a change copies only the group that it touches and later stages
 * see by identity which groups changed.
 */
export interface World {
  /** Keyed `kind/namespace`, then by name. */
  readonly groups: ReadonlyMap<string, ReadonlyMap<string, MeshRecord>>;
  /** Namespaces that hold at least one record, in order; the same list while it says the same. */
  readonly namespaces: readonly string[];
}

export const EMPTY_WORLD: World = { groups: new Map(), namespaces: [] };

const NO_RECORDS: ReadonlyMap<string, never> = new Map<string, never>();

/** The records of one kind in one namespace, by name; the same map as before unless one of them changed. */
export function recordsOf<K extends RecordKind>(
  world: World,
  kind: K,
  namespace: string,
): ReadonlyMap<string, RecordByKind[K]> {
  // A group holds records of the kind that its key names: `applyChanges` is the only writer.
  return (world.groups.get(`${kind}/${namespace}`) as ReadonlyMap<string, RecordByKind[K]> | undefined) ?? NO_RECORDS;
}

function occupiedNamespaces(groups: World["groups"]): readonly string[] {
  const found = new Set<string>();
  for (const key of groups.keys()) found.add(key.slice(key.indexOf("/") + 1));
  found.delete("");
  return [...found].sort();
}

/** Which records changed: per kind, `namespace/name`. */
export type ChangedKeys = ReadonlyMap<RecordKind, ReadonlySet<string>>;

/** The world after changes. */
interface Applied {
  readonly world: World;
  readonly changed: ChangedKeys;
}

/** The world after `changes`, in order, and the records that differ by content; the same world when none does. */
export function* applyChanges(world: World, changes: readonly RecordChange[]): Steps<Applied> {
  const touched = new Map<string, Map<string, MeshRecord>>();
  const candidates = new Map<string, { kind: RecordKind; namespace: string; name: string }>();
  for (const change of changes) {
    yield;
    const { kind, name } = change.type === "put" ? change.record : change;
    const namespace = namespaceOf(change);
    const groupKey = `${kind}/${namespace}`;
    if (!touched.has(groupKey) && isAlready(world.groups.get(groupKey)?.get(name), change)) continue;
    let group = touched.get(groupKey);
    if (group === undefined) {
      group = new Map(world.groups.get(groupKey));
      touched.set(groupKey, group);
    }
    if (change.type === "put") group.set(name, change.record);
    else group.delete(name);
    candidates.set(`${groupKey}/${name}`, { kind, namespace, name });
  }
  return yield* settle(world, touched, [...candidates.values()]);
}

/** Most events say what is known already: they cost no copy of their group. */
function isAlready(before: MeshRecord | undefined, change: RecordChange): boolean {
  if (change.type === "remove") return before === undefined;
  return before !== undefined && sameContent(before, change.record);
}

function* settle(
  world: World,
  touched: ReadonlyMap<string, Map<string, MeshRecord>>,
  candidates: readonly { kind: RecordKind; namespace: string; name: string }[],
): Steps<Applied> {
  const changed = new Map<RecordKind, Set<string>>();
  const changedGroups = new Set<string>();
  for (const { kind, namespace, name } of candidates) {
    yield;
    const groupKey = `${kind}/${namespace}`;
    const before = world.groups.get(groupKey)?.get(name);
    const group = touched.get(groupKey);
    const after = group?.get(name);
    if (before !== undefined && after !== undefined && sameContent(before, after)) {
      group?.set(name, before);
      continue;
    }
    if (before === undefined && after === undefined) continue;
    changedGroups.add(groupKey);
    const keys = changed.get(kind) ?? new Set();
    changed.set(kind, keys.add(`${namespace}/${name}`));
  }
  if (changedGroups.size === 0) return { world, changed };
  const groups = new Map(world.groups);
  let areGroupsSame = true;
  for (const key of changedGroups) {
    const group = touched.get(key);
    const isGone = group === undefined || group.size === 0;
    areGroupsSame &&= isGone !== groups.has(key);
    if (isGone) groups.delete(key);
    else groups.set(key, group);
  }
  return { world: { groups, namespaces: areGroupsSame ? world.namespaces : occupiedNamespaces(groups) }, changed };
}

function namespaceOf(change: RecordChange): string {
  if (change.type === "remove") return change.kind === "Namespace" ? "" : change.namespace;
  return change.record.kind === "Namespace" ? "" : change.record.namespace;
}
