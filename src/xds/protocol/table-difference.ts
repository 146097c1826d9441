import { type ResourceTable, TYPE_URLS, type TypeUrl } from "../resource.ts";

/** How one table differs from another. */
export interface TableChanges {
  /** Names that stand for other content in the later table than in the earlier, or in one of them only. */
  names(typeUrl: TypeUrl): readonly string[];
  /** Those of the types that this server speaks for which there are such names. */
  readonly types: readonly TypeUrl[];
}

/**
 * How `next` differs from `previous`. Every stream of a workload class moves between the same two tables, so the answer
 * is kept as long as both tables live.
 */
export type TableDifference = (previous: ResourceTable, next: ResourceTable) => TableChanges;

/** Creates a {@link TableDifference} with an empty memory of its own. */
export function tableDifference(): TableDifference {
  const known = new WeakMap<ResourceTable, WeakMap<ResourceTable, TableChanges>>();
  return (previous, next) => {
    let byNext = known.get(previous);
    if (byNext === undefined) {
      byNext = new WeakMap();
      known.set(previous, byNext);
    }
    let changes = byNext.get(next);
    if (changes === undefined) {
      changes = changesOf(previous, next);
      byNext.set(next, changes);
    }
    return changes;
  };
}

const TYPES = Object.values(TYPE_URLS);

function changesOf(previous: ResourceTable, next: ResourceTable): TableChanges {
  const byType = new Map<TypeUrl, readonly string[]>();
  let types: readonly TypeUrl[] | undefined;
  const changes = {
    names(typeUrl: TypeUrl) {
      let names = byType.get(typeUrl);
      if (names === undefined) {
        names = changedNames(previous, next, typeUrl);
        byType.set(typeUrl, names);
      }
      return names;
    },
    get types() {
      types ??= TYPES.filter((typeUrl) => changes.names(typeUrl).length > 0);
      return types;
    },
  };
  return changes;
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
