/**
 * Keeps what was used of late: a bounded weight, and nothing that was not asked for during the last two calls of `age`.
 * Two maps instead of a list by age, so that a hit costs one look-up; the tables of a whole fleet pass through here.
 */
export interface RecentCache<Key, Value> {
  get(key: Key): Value | undefined;
  /** `weight` counts against the bound. */
  set(key: Key, value: Value, weight: number): void;
  /** To be called at intervals. */
  age(): void;
}

/** Creates a {@link RecentCache} that holds values of at most `weightMax`, all together. */
export function recentCache<Key, Value>(weightMax: number): RecentCache<Key, Value> {
  type Entries = Map<Key, { readonly value: Value; readonly weight: number }>;
  let young: Entries = new Map();
  let old: Entries = new Map();
  let youngWeight = 0;
  const age = () => {
    old = young;
    young = new Map();
    youngWeight = 0;
  };
  const set = (key: Key, value: Value, weight: number) => {
    if (weight > weightMax / 2) return;
    if (youngWeight + weight > weightMax / 2) age();
    youngWeight += weight;
    young.set(key, { value, weight });
  };
  return {
    get(key) {
      const found = young.get(key);
      if (found !== undefined) return found.value;
      const aged = old.get(key);
      if (aged === undefined) return undefined;
      old.delete(key);
      set(key, aged.value, aged.weight);
      return aged.value;
    },
    set,
    age,
  };
}
