/** Equality of plain data by content: strings, numbers, booleans, arrays, plain objects and maps, nested. */
export function sameContent(left: unknown, right: unknown): boolean {
  if (Object.is(left, right)) return true;
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) return false;
  if (Array.isArray(left)) return Array.isArray(right) && sameElements(left, right, sameContent);
  if (left instanceof Map) return right instanceof Map && sameEntries(left, right);
  return !Array.isArray(right) && sameMembers(left, right);
}

function sameEntries(left: ReadonlyMap<unknown, unknown>, right: ReadonlyMap<unknown, unknown>): boolean {
  if (left.size !== right.size) return false;
  for (const [key, value] of left) if (!right.has(key) || !sameContent(value, right.get(key))) return false;
  return true;
}

function sameMembers(left: object, right: object): boolean {
  const names = Object.keys(left);
  if (names.length !== Object.keys(right).length) return false;
  return names.every(
    (name) => Object.hasOwn(right, name) && sameContent(left[name as keyof object], right[name as keyof object]),
  );
}

/** Whether two lists agree element by element, by `same` or else by identity. */
export function sameElements<T>(
  left: readonly T[],
  right: readonly T[],
  same: (left: T, right: T) => boolean = Object.is,
): boolean {
  return left.length === right.length && left.every((element, position) => same(element, right[position] as T));
}

/** `next`, or the object that stood there before when it says the same: what later stages compare by identity. */
export function keepIfSame<T>(previous: T | undefined, next: T): T {
  return previous !== undefined && sameContent(previous, next) ? previous : next;
}

/** `next`, or the list that stood there before when it has the same elements, by identity. */
export function keepElements<T>(previous: readonly T[] | undefined, next: readonly T[]): readonly T[] {
  return previous !== undefined && sameElements(previous, next) ? previous : next;
}

/**
 * The map `next`, with every value that says the same as before replaced by the earlier object; the earlier map itself
 * when nothing at all differs.
 */
export function keepSameValues<V>(
  previous: ReadonlyMap<string, V> | undefined,
  next: Map<string, V>,
  same: (left: V, right: V) => boolean = sameContent,
): ReadonlyMap<string, V> {
  if (previous === undefined) return next;
  let isSame = previous.size === next.size;
  for (const [key, value] of next) {
    const before = previous.get(key);
    if (before !== undefined && same(before, value)) next.set(key, before);
    else isSame = false;
  }
  return isSame ? previous : next;
}
