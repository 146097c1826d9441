/** What a heap snapshot of V8 holds, by kind: what the program keeps apart from what the engine compiles and learns. */

export interface HeapCensus {
  /** Objects, strings, closures and the memory of buffers: what a leak of the program consists of. */
  readonly keptBytes: number;
  /**
   * Compiled code, feedback and hidden classes. They grow for many minutes while V8 optimizes what runs rarely, and end at
   * what the program's functions need.
   */
  readonly engineBytes: number;
  /** How many and how large, by kind and constructor. */
  readonly populations: ReadonlyMap<string, Population>;
}

export interface Population {
  readonly count: number;
  readonly bytes: number;
}

interface HeapSnapshot {
  readonly snapshot: {
    readonly meta: {
      readonly node_fields: readonly string[];
      readonly node_types: readonly [readonly string[], ...unknown[]];
    };
  };
  readonly nodes: readonly number[];
  readonly strings: readonly string[];
}

const ENGINE_KINDS: ReadonlySet<string> = new Set(["code", "hidden", "object shape"]);
/** Nodes of these kinds are named after their content, so that each would be a population of its own. */
const NAMED_BY_CONTENT: ReadonlySet<string> = new Set([
  "string",
  "concatenated string",
  "sliced string",
  "number",
  "bigint",
  "symbol",
  "regexp",
]);

export const EMPTY_CENSUS: HeapCensus = { keptBytes: 0, engineBytes: 0, populations: new Map() };

/** Two heaps as one. */
export function addCensus(one: HeapCensus, other: HeapCensus): HeapCensus {
  const populations = new Map(one.populations);
  for (const [name, { count, bytes }] of other.populations) {
    const was = populations.get(name);
    populations.set(name, { count: count + (was?.count ?? 0), bytes: bytes + (was?.bytes ?? 0) });
  }
  return {
    keptBytes: one.keptBytes + other.keptBytes,
    engineBytes: one.engineBytes + other.engineBytes,
    populations,
  };
}

/** Counts a snapshot in the JSON form in which V8 writes it. */
export function censusOf(snapshotJson: string): HeapCensus {
  const { snapshot, nodes, strings } = JSON.parse(snapshotJson) as HeapSnapshot;
  const { node_fields: fields, node_types: types } = snapshot.meta;
  const [kindAt, nameAt, sizeAt] = [fields.indexOf("type"), fields.indexOf("name"), fields.indexOf("self_size")];
  const populations = new Map<string, { count: number; bytes: number }>();
  let keptBytes = 0;
  let engineBytes = 0;
  for (let node = 0; node < nodes.length; node += fields.length) {
    const kind = types[0][nodes[node + kindAt] ?? 0] ?? "";
    const bytes = nodes[node + sizeAt] ?? 0;
    if (ENGINE_KINDS.has(kind)) {
      engineBytes += bytes;
      continue;
    }
    keptBytes += bytes;
    const name = NAMED_BY_CONTENT.has(kind) ? kind : `${kind} ${strings[nodes[node + nameAt] ?? 0] ?? ""}`.trim();
    const population = populations.get(name) ?? { count: 0, bytes: 0 };
    population.count += 1;
    population.bytes += bytes;
    populations.set(name, population);
  }
  return { keptBytes, engineBytes, populations };
}

/** What grew most between two looks, one line each: where to look for a leak. */
export function growthBetween(before: HeapCensus, after: HeapCensus, lines: number): readonly string[] {
  const grown = [...after.populations].map(([name, { count, bytes }]) => {
    const was = before.populations.get(name);
    return { name, bytes: bytes - (was?.bytes ?? 0), count: count - (was?.count ?? 0) };
  });
  return grown
    .filter(({ bytes }) => bytes > 0)
    .sort((a, b) => b.bytes - a.bytes)
    .slice(0, lines)
    .map(({ name, bytes, count }) => `${name}: ${bytes} bytes more, ${count} more of them`);
}
