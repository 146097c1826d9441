import type { ResourceTable, TypeUrl } from "./resource.ts";

/**
 * Names that stand for other content in `next` than in `previous`, or in one of them only. Every stream of a workload
 * class moves between the same two tables, so the answer is kept as long as both tables live.
 */
export type TableDifference = (previous: ResourceTable, next: ResourceTable, typeUrl: TypeUrl) => readonly string[];

/** Creates a {@link TableDifference} with an empty memory of its own. */
export function tableDifference(): TableDifference {
  const known = new WeakMap<ResourceTable, WeakMap<ResourceTable, Map<TypeUrl, readonly string[]>>>();
  return (previous, next, typeUrl) => {
    if (previous === next) return [];
    const byNext = getOrCreate(known, previous, () => new WeakMap());
    const byType = getOrCreate(byNext, next, () => new Map());
    return getOrCreate(byType, typeUrl, () => changedNames(previous, next, typeUrl));
  };
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
