import type { Resource, ResourceTable, TypeUrl } from "../resource.ts";
import type { Held } from "./held-names.ts";
import { NameIndex, viewOf } from "./name-index.ts";
import type { Claims, SaidNames } from "./protocol.ts";
import { WireClaims } from "./wire-claims.ts";
import { WireNames } from "./wire-names.ts";

/**
 * All that a table holds of one type, in one list: what everybody who begins with it is sent, and what everybody who comes
 * back to it is compared with.
 */
export class FullSet {
  readonly resources: readonly Resource[];
  /** Of names and contents. */
  readonly bytes: number;
  /** Made when somebody is compared. */
  #index: NameIndex | undefined;
  readonly #alike = new Map<Held, readonly Held[]>();
  /** In which round a name was seen last: without it a list that says one name twice would pass for a whole one. */
  readonly #seen: Uint32Array;
  #round = 0;

  constructor(resources: readonly Resource[]) {
    this.resources = resources;
    this.bytes = resources.reduce((sum, { name, bytes }) => sum + name.length + bytes.length, 0);
    this.#seen = new Uint32Array(resources.length);
  }

  /** As many of `held` as there are resources; the same array for all who ask. */
  alike(held: Held): readonly Held[] {
    let list = this.#alike.get(held);
    if (list === undefined) {
      list = this.resources.map(() => held);
      this.#alike.set(held, list);
    }
    return list;
  }

  /** Whether the list says each name once, and no other. */
  isNamedBy(names: SaidNames): boolean {
    if (names.length !== this.resources.length) return false;
    const { bytes, places } = names instanceof WireNames ? names : WireNames.of(names);
    const view = viewOf(bytes);
    this.#round++;
    for (let n = 0; n < places.length; n += 2) {
      if (this.#see(view, places[n] as number, places[n + 1] as number) < 0) return false;
    }
    return true;
  }

  /** Whether each resource is claimed in its version, and nothing else is. */
  isHeldBy(claims: Claims): boolean {
    if (claims.size !== this.resources.length) return false;
    const { bytes, places } = claims instanceof WireClaims ? claims : inWireForm(claims);
    const view = viewOf(bytes);
    this.#round++;
    for (let n = 0; n < places.length; n += 4) {
      const position = this.#see(view, places[n] as number, places[n + 1] as number);
      if (position < 0) return false;
      const [start, end] = [places[n + 2] as number, places[n + 3] as number];
      if (!this.#index?.hasVersion(position, view, start, end)) return false;
    }
    return true;
  }

  /** Position of the name; -1 where there is none, or where it was seen in this round. */
  #see(bytes: DataView, start: number, end: number): number {
    this.#index ??= new NameIndex(this.resources);
    const position = this.#index.find(bytes, start, end);
    if (position < 0 || this.#seen[position] === this.#round) return -1;
    this.#seen[position] = this.#round;
    return position;
  }
}

function inWireForm(claims: Claims): WireClaims {
  const entries: [string, string][] = [];
  claims.forEach((version, name) => void entries.push([name, version]));
  return WireClaims.of(entries);
}

/** Makes the full sets of tables, each once for the streams of a server that begin with the table within a while. */
export interface FullSets {
  /** Undefined where a table holds nothing of the type, or has nothing under one of its names. */
  of(table: ResourceTable, typeUrl: TypeUrl): FullSet | undefined;
  /** Forgets what was not asked for of late; to be called at intervals. */
  age(): void;
}

type FullSetByType = Map<TypeUrl, FullSet>;

export function fullSets(): FullSets {
  let recent = new WeakMap<ResourceTable, FullSetByType>();
  let older = recent;
  return {
    of(table, typeUrl) {
      let byType = recent.get(table);
      if (byType === undefined) {
        byType = older.get(table) ?? new Map();
        recent.set(table, byType);
      }
      const known = byType.get(typeUrl);
      if (known !== undefined) return known;
      const fullSet = fullSetOf(table, typeUrl);
      // Of what a table does not have nothing is kept: a client may ask for types by any number of names.
      if (fullSet !== undefined) byType.set(typeUrl, fullSet);
      return fullSet;
    },
    age() {
      older = recent;
      recent = new WeakMap();
    },
  };
}

function fullSetOf(table: ResourceTable, typeUrl: TypeUrl): FullSet | undefined {
  const names = table.names(typeUrl);
  if (names.size === 0) return undefined;
  const resources: Resource[] = [];
  for (const name of names) {
    const resource = table.get(typeUrl, name);
    if (resource === undefined) return undefined;
    resources.push(resource);
  }
  return new FullSet(resources);
}
