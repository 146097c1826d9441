import type { References } from "./envoy-references.ts";

/** A resource with its content, kept once for all proxies that have it. */
export interface Resource {
  readonly type: number;
  readonly name: string;
  readonly version: string;
  readonly bytes: Buffer;
  /** Of the bytes. */
  readonly hash: string;
  /** 2 x 32 bits of name, version and content. */
  readonly markHigh: number;
  readonly markLow: number;
  readonly references: References;
}

/**
 * What a proxy has of one type. Never changed: proxies that have the same share the object, and what follows from it is
 * worked out once.
 */
export class ResourceTable {
  readonly resources: ReadonlyMap<string, Resource>;
  readonly markHigh: number;
  readonly markLow: number;
  #references: ReferenceSets | undefined;
  /** The request with which a proxy that has this opens a stream, and the names that it asks for with it. */
  firstRequest: { readonly names: ReadonlySet<string>; readonly bytes: Buffer } | undefined;

  constructor(resources: ReadonlyMap<string, Resource>, markHigh: number, markLow: number) {
    this.resources = resources;
    this.markHigh = markHigh;
    this.markLow = markLow;
  }

  get references(): ReferenceSets {
    this.#references ??= referencesOf(this.resources);
    return this.#references;
  }
}

export interface ReferenceSets {
  readonly endpoints: ReadonlySet<string>;
  readonly secrets: ReadonlySet<string>;
  readonly routes: ReadonlySet<string>;
}

function referencesOf(resources: ReadonlyMap<string, Resource>): ReferenceSets {
  const endpoints = new Set<string>();
  const secrets = new Set<string>();
  const routes = new Set<string>();
  for (const { references } of resources.values()) {
    for (const name of references.endpoints) endpoints.add(name);
    for (const name of references.secrets) secrets.add(name);
    for (const name of references.routes) routes.add(name);
  }
  return { endpoints, secrets, routes };
}

export const EMPTY_TABLE = new ResourceTable(new Map(), 0, 0);

/** Values that somebody still has, by key; what nobody has any more is forgotten. */
export class WeakMemory<Value extends object> {
  readonly #known = new Map<string, WeakRef<Value>>();
  #sweepAt = SWEEP_MIN;

  get(key: string): Value | undefined {
    return this.#known.get(key)?.deref();
  }

  set(key: string, value: Value): void {
    this.#known.set(key, new WeakRef(value));
    if (this.#known.size < this.#sweepAt) return;
    for (const [each, reference] of this.#known) if (reference.deref() === undefined) this.#known.delete(each);
    // The next one when as many again have come: each entry is looked at a few times in its life.
    this.#sweepAt = Math.max(SWEEP_MIN, 2 * this.#known.size);
  }
}

const SWEEP_MIN = 4096;

/** Tables that some proxy has, so that a proxy that comes to the same content comes to the same object. */
export class TableMemory {
  readonly #known = new WeakMemory<ResourceTable>();

  /** The table with these resources set (a resource), or taken away (undefined). */
  changed(table: ResourceTable, changes: ReadonlyMap<string, Resource | undefined>): ResourceTable {
    let { markHigh, markLow } = table;
    let size = table.resources.size;
    for (const [name, resource] of changes) {
      const before = table.resources.get(name);
      if (before !== undefined) {
        markHigh ^= before.markHigh;
        markLow ^= before.markLow;
        size--;
      }
      if (resource !== undefined) {
        markHigh ^= resource.markHigh;
        markLow ^= resource.markLow;
        size++;
      }
    }
    if (size === 0) return EMPTY_TABLE;
    const key = `${size}:${markHigh}:${markLow}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const resources = new Map(table.resources);
    for (const [name, resource] of changes) {
      if (resource === undefined) resources.delete(name);
      else resources.set(name, resource);
    }
    const made = new ResourceTable(resources, markHigh, markLow);
    this.#known.set(key, made);
    return made;
  }
}

/** Names that are not among `from`. */
export function missingNames(names: ReadonlySet<string>, from: ReadonlySet<string>): readonly string[] {
  const missing: string[] = [];
  for (const name of names) if (!from.has(name)) missing.push(name);
  return missing;
}
