import type { ResourceTable, TypeUrl } from "./resource.ts";

/** How one table differs from another. */
export interface TableChanges {
  /** Names that stand for other content in the later table than in the earlier, or in one of them only. */
  names(typeUrl: TypeUrl): readonly string[];
}

/**
 * How `next` differs from `previous`. Every stream of a workload class moves between the same two tables, so the answer
 * is kept as long as both tables live.
 */
export type TableDifference = (previous: ResourceTable, next: ResourceTable) => TableChanges;

/** Creates a {@link TableDifference} with an empty memory of its own. */
export function tableDifference(): TableDifference {
  const known = new WeakMap<ResourceTable, WeakMap<ResourceTable, TableChanges>>();
  return (previous, next) =>
    getOrCreate(
      getOrCreate(known, previous, () => new WeakMap()),
      next,
      () => changesOf(previous, next),
    );
}

function changesOf(previous: ResourceTable, next: ResourceTable): TableChanges {
  const byType = new Map<TypeUrl, readonly string[]>();
  return { names: (typeUrl) => getOrCreate(byType, typeUrl, () => changedNames(previous, next, typeUrl)) };
}

function changedNames(previous: ResourceTable, next: ResourceTable, typeUrl: TypeUrl): readonly string[] {
  const told = next.changesSince?.(previous, typeUrl);
  if (told !== undefined) return told;
  const changed: string[] = [];
  for (const name of next.names(typeUrl)) {
    if (previous.get(typeUrl, name)?.version !== next.get(typeUrl, name)?.version) changed.push(name);
  }
  for (const name of previous.names(typeUrl)) {
    if (next.get(typeUrl, name) === undefined) changed.push(name);
  }
  return changed;
}

function getOrCreate<Key, Value>(
  map: { get(key: Key): Value | undefined; set(key: Key, value: Value): unknown },
  key: Key,
  create: () => Value,
): Value {
  let value = map.get(key);
  if (value === undefined) {
    value = create();
    map.set(key, value);
  }
  return value;
}
