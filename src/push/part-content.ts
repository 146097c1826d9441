/** The resources of one part of views, shared by the tables of all classes that have it. Immutable. */
import { lacksEndpoint, type ResourceView } from "../mesh/mod.ts";
import type { NameSet, Resource, TypeUrl } from "../xds/resource.ts";

/** Where the resources of one type stand, by name. */
export type Positions = ReadonlyMap<string, number>;

/** Names and positions by type; the same object in contents that hold the same names in the same order. */
export interface PartIndex {
  readonly positions: ReadonlyMap<TypeUrl, Positions>;
  /** The names of each type, as one object for all who ask. */
  readonly names: ReadonlyMap<TypeUrl, NameSet>;
}

/** What a part was made of, and what differs from what it was before. */
export interface PartContent {
  readonly views: readonly ResourceView[];
  /** `resources[n]` is that of `views[n]`; undefined where there never was one. */
  readonly resources: readonly (Resource | undefined)[];
  /** Some view has no resource, or an older one than it should. */
  readonly hasGaps: boolean;
  readonly index: PartIndex;
  /** Tells contents apart without keeping the ones before alive. */
  readonly serial: number;
  readonly previousSerial: number;
  /** Positions that say something else than in the content before. Meant only where both have one index. */
  readonly changed: readonly number[];
  /** Some list of endpoints is without one that it had before. */
  readonly losesEndpoints: boolean;
}

const NO_INDEX: PartIndex = { positions: new Map(), names: new Map() };
const NOTHING: PartContent = {
  views: [],
  resources: [],
  hasGaps: false,
  index: NO_INDEX,
  serial: 0,
  previousSerial: 0,
  changed: [],
  losesEndpoints: false,
};

/** The views, of those in `views`, whose resources are not simply those of `previous`. */
export function changedViews(previous: PartContent = NOTHING, views: readonly ResourceView[]): readonly ResourceView[] {
  if (views === previous.views && !previous.hasGaps) return [];
  const { from, to } = changedSpan(previous, views);
  return views.slice(from, to);
}

/**
 * Content for `views`, sharing with `previous` what did not change; with the resources and the serial of `previous` when
 * nothing did. A view without a resource keeps the last one of that kind and name. `serial` is to be used for no other.
 */
export function nextContent(
  previous: PartContent = NOTHING,
  views: readonly ResourceView[],
  resourceOf: (view: ResourceView) => Resource | undefined,
  serial: number,
): PartContent {
  if (views === previous.views && !previous.hasGaps && previous !== NOTHING) return previous;
  const { from, to } = changedSpan(previous, views);
  const tail = previous.resources.length - (views.length - to);
  let hasGaps = false;
  const span: (Resource | undefined)[] = [];
  for (let position = from; position < to; position++) {
    const view = views[position];
    if (view === undefined) continue;
    // In most changes of a long list the ones between are the same.
    const isSame = !previous.hasGaps && to === tail && previous.views[position] === view;
    const resource = isSame ? previous.resources[position] : resourceOf(view);
    hasGaps ||= resource === undefined;
    span.push(resource ?? lastGood(previous, view));
  }
  const before = previous.resources.slice(from, tail);
  const hasNames = hasSameNames(span, before);
  const changed: number[] = [];
  if (hasNames) {
    for (const [offset, resource] of span.entries()) {
      // What says the same stays the same object, so that a comparison by identity tells.
      if (resource?.version === before[offset]?.version) span[offset] = before[offset];
      else changed.push(from + offset);
    }
    if (changed.length === 0 && previous !== NOTHING) return { ...previous, views, hasGaps };
  }
  const resources = previous.resources.slice(0, from).concat(span, previous.resources.slice(tail));
  return {
    views,
    resources,
    hasGaps,
    index: hasNames ? previous.index : indexOf(resources),
    serial,
    previousSerial: previous.serial,
    changed,
    losesEndpoints: changed.some((position) => losesEndpoint(previous.views[position], views[position])),
  };
}

/**
 * Names of the type that stand for other content in `next`, which must have the index of `previous`.
 */
export function changedNames(previous: PartContent, next: PartContent, typeUrl: TypeUrl): readonly string[] {
  if (previous.serial === next.serial) return [];
  const names: string[] = [];
  const add = (position: number) => {
    const resource = next.resources[position];
    if (resource?.typeUrl === typeUrl && resource.version !== previous.resources[position]?.version) {
      names.push(resource.name);
    }
  };
  if (previous.serial === next.previousSerial) for (const position of next.changed) add(position);
  else for (let position = 0; position < next.resources.length; position++) add(position);
  return names;
}

/** Where `views` differs from the previous ones: between an equal head and an equal tail, for most changes are local. */
function changedSpan(previous: PartContent, views: readonly ResourceView[]) {
  if (previous.hasGaps) return { from: 0, to: views.length };
  const shorter = Math.min(previous.views.length, views.length);
  let from = 0;
  while (from < shorter && previous.views[from] === views[from]) from += 1;
  let tail = 0;
  while (tail < shorter - from && previous.views.at(-1 - tail) === views.at(-1 - tail)) tail += 1;
  return { from, to: views.length - tail };
}

function lastGood(previous: PartContent, view: ResourceView): Resource | undefined {
  const position = previous.views.findIndex((each) => each.kind === view.kind && each.name === view.name);
  return previous.resources[position];
}

function losesEndpoint(before: ResourceView | undefined, after: ResourceView | undefined): boolean {
  if (before?.kind !== "endpoints" || after?.kind !== "endpoints") return false;
  return lacksEndpoint(before.endpoints, after.endpoints);
}

type Span = readonly (Resource | undefined)[];

function hasSameNames(left: Span, right: Span): boolean {
  return (
    left.length === right.length &&
    left.every((each, n) => each === right[n] || (each?.name === right[n]?.name && each?.typeUrl === right[n]?.typeUrl))
  );
}

function indexOf(resources: Span): PartIndex {
  const positions = new Map<TypeUrl, Map<string, number>>();
  for (const [position, resource] of resources.entries()) {
    if (resource === undefined) continue;
    let ofType = positions.get(resource.typeUrl);
    if (ofType === undefined) {
      ofType = new Map();
      positions.set(resource.typeUrl, ofType);
    }
    ofType.set(resource.name, position);
  }
  return { positions, names: new Map([...positions].map(([typeUrl, ofType]) => [typeUrl, new Names([ofType])])) };
}

/** Names that are the keys of some maps, of which no two have one in common. */
export class Names implements NameSet {
  readonly #maps: readonly ReadonlyMap<string, unknown>[];
  readonly size: number;

  constructor(maps: readonly ReadonlyMap<string, unknown>[]) {
    this.#maps = maps;
    this.size = maps.reduce((sum, map) => sum + map.size, 0);
  }

  has(name: string): boolean {
    return this.#maps.some((map) => map.has(name));
  }

  *[Symbol.iterator](): Iterator<string> {
    for (const map of this.#maps) yield* map.keys();
  }
}
