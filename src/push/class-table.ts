/** The table of one workload class: the contents of its parts and the secrets of its identity. Immutable. */
import { type NameSet, type Resource, type ResourceTable, TYPE_URLS, type TypeUrl } from "../xds/resource.ts";
import { changedNames, Names, type PartContent, type Positions } from "./part-content.ts";
import type { TableSecrets } from "./table-secrets.ts";

const NO_NAMES: NameSet = new Set<string>();
const NONE: readonly string[] = [];

/** The secrets of an identity, as its tables hold them. */
export interface HeldSecrets {
  readonly of: TableSecrets;
  readonly byName: ReadonlyMap<string, Resource>;
  readonly names: NameSet;
  readonly isAsGood: NonNullable<ResourceTable["isAsGood"]>;
  readonly isAwaited: NonNullable<ResourceTable["isAwaited"]>;
}

export function holdSecrets(secrets: TableSecrets): HeldSecrets {
  const byName = new Map(secrets.resources.map((secret) => [secret.name, secret]));
  return {
    of: secrets,
    byName,
    names: new Set(byName.keys()),
    isAsGood: (typeUrl, name, version) => typeUrl === TYPE_URLS.secret && (secrets.isAsGood?.(name, version) ?? false),
    isAwaited: (typeUrl, name) => typeUrl === TYPE_URLS.secret && (secrets.isAwaited?.(name) ?? false),
  };
}

/** A class and not a literal, because there is one for each workload class and change: it shares its functions. */
export class ClassTable implements ResourceTable {
  readonly generation: number;
  readonly parts: readonly PartContent[];
  readonly secrets: HeldSecrets;
  readonly isAsGood: HeldSecrets["isAsGood"];
  readonly isAwaited: HeldSecrets["isAwaited"];
  /** Names of the types that several parts have, as far as somebody asked. */
  readonly #joined: Map<TypeUrl, NameSet>;

  /** With the class's `previous` table it shares the names, where they are the same. */
  constructor(generation: number, parts: readonly PartContent[], secrets: HeldSecrets, previous?: ClassTable) {
    this.generation = generation;
    this.parts = parts;
    this.secrets = secrets;
    this.isAsGood = secrets.isAsGood;
    this.isAwaited = secrets.isAwaited;
    this.#joined = previous?.hasSameNames(this) ? previous.#joined : new Map();
  }

  get(typeUrl: TypeUrl, name: string): Resource | undefined {
    if (typeUrl === TYPE_URLS.secret) return this.secrets.byName.get(name);
    for (const { index, resources } of this.parts) {
      const position = index.positions.get(typeUrl)?.get(name);
      if (position !== undefined) return resources[position];
    }
    return undefined;
  }

  names(typeUrl: TypeUrl): NameSet {
    if (typeUrl === TYPE_URLS.secret) return this.secrets.names;
    const joined = this.#joined.get(typeUrl);
    if (joined !== undefined) return joined;
    const having = this.parts.filter(({ index }) => index.positions.has(typeUrl));
    const [first, ...others] = having;
    if (first === undefined) return NO_NAMES;
    if (others.length === 0) return first.index.names.get(typeUrl) ?? NO_NAMES;
    const names = new Names(having.map(({ index }) => index.positions.get(typeUrl) ?? NO_POSITIONS));
    this.#joined.set(typeUrl, names);
    return names;
  }

  changesSince(previous: ResourceTable, typeUrl: TypeUrl): readonly string[] | undefined {
    if (!(previous instanceof ClassTable) || previous.parts.length !== this.parts.length) return undefined;
    if (typeUrl === TYPE_URLS.secret) return previous.secrets.of === this.secrets.of ? NONE : undefined;
    if (previous.parts === this.parts) return NONE;
    const changed: string[] = [];
    // A plain loop: it runs for each class and type, and nearly all of hundreds of parts are as they were.
    for (let position = 0; position < this.parts.length; position++) {
      const next = this.parts[position];
      const before = previous.parts[position];
      if (before === undefined || next === undefined) return undefined;
      if (before.serial === next.serial) continue;
      if (before.index !== next.index) {
        if (before.index.positions.has(typeUrl) || next.index.positions.has(typeUrl)) return undefined;
        continue;
      }
      changed.push(...changedNames(before, next, typeUrl));
    }
    return changed;
  }

  hasSameNames(other: ClassTable): boolean {
    if (this.parts === other.parts) return true;
    return this.parts.every((part, position) => part.index === other.parts[position]?.index);
  }
}

const NO_POSITIONS: Positions = new Map();
