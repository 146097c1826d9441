/** The tables of one workload class: resources of its views and the secrets of its identity, each table immutable. */
import type { ResourceView } from "../mesh/mod.ts";
import { type Resource, type ResourceTable, TYPE_URLS, type TypeUrl } from "../xds/resource.ts";

/** Positions of resources by type and name. Shared by tables that hold the same names. */
type NameIndex = ReadonlyMap<TypeUrl, ReadonlyMap<string, number>>;

/** What a class's table was made of. */
export interface ClassContent {
  readonly views: readonly ResourceView[];
  /** `resources[n]` is that of `views[n]`; undefined where there never was one. */
  readonly resources: readonly (Resource | undefined)[];
  /** Some view has no resource, or an older one than it should. */
  readonly hasGaps: boolean;
  readonly index: NameIndex;
}

const EMPTY: ClassContent = { views: [], resources: [], hasGaps: false, index: new Map() };

/**
 * Content for `views`, sharing with `previous` what did not change; `previous` itself when nothing did. A view without a
 * resource keeps the last one of that kind and name.
 */
export function nextContent(
  previous: ClassContent = EMPTY,
  views: readonly ResourceView[],
  resourceOf: (view: ResourceView) => Resource | undefined,
): ClassContent {
  if (views === previous.views && !previous.hasGaps) return previous;
  let hasGaps = false;
  const resources = views.map((view, position) => {
    if (view === previous.views[position] && !previous.hasGaps) return previous.resources[position];
    const resource = resourceOf(view);
    if (resource !== undefined) return resource;
    hasGaps = true;
    return lastGood(previous, view);
  });
  // What says the same stays the same object, so that a comparison by identity tells.
  const isSame =
    resources.length === previous.resources.length &&
    resources.every((each, n) => isEqual(each, previous.resources[n]));
  if (isSame) return { views, resources: previous.resources, hasGaps, index: previous.index };
  return {
    views,
    resources,
    hasGaps,
    index: hasSameNames(resources, previous.resources) ? previous.index : indexOf(resources),
  };
}

/** Whether tables made of the two say the same. */
export function isSameContent(left: ClassContent, right: ClassContent): boolean {
  return left.resources === right.resources;
}

/** The table of one class at one generation. */
export function classTable(generation: number, content: ClassContent, secrets: readonly Resource[]): ResourceTable {
  const secretByName = new Map(secrets.map((secret) => [secret.name, secret]));
  return {
    generation,
    get(typeUrl, name) {
      if (typeUrl === TYPE_URLS.secret) return secretByName.get(name);
      const position = content.index.get(typeUrl)?.get(name);
      return position === undefined ? undefined : content.resources[position];
    },
    names: (typeUrl) =>
      typeUrl === TYPE_URLS.secret ? secretByName.keys() : (content.index.get(typeUrl)?.keys() ?? []),
  };
}

function lastGood(previous: ClassContent, view: ResourceView): Resource | undefined {
  const position = previous.views.findIndex((each) => each.kind === view.kind && each.name === view.name);
  return previous.resources[position];
}

function isEqual(left: Resource | undefined, right: Resource | undefined): boolean {
  return (
    left === right ||
    (left?.version === right?.version && left?.name === right?.name && left?.typeUrl === right?.typeUrl)
  );
}

function hasSameNames(left: readonly (Resource | undefined)[], right: readonly (Resource | undefined)[]): boolean {
  return (
    left.length === right.length &&
    left.every((each, n) => each?.name === right[n]?.name && each?.typeUrl === right[n]?.typeUrl)
  );
}

function indexOf(resources: readonly (Resource | undefined)[]): NameIndex {
  const index = new Map<TypeUrl, Map<string, number>>();
  for (const [position, resource] of resources.entries()) {
    if (resource === undefined) continue;
    let positions = index.get(resource.typeUrl);
    if (positions === undefined) {
      positions = new Map();
      index.set(resource.typeUrl, positions);
    }
    positions.set(resource.name, position);
  }
  return index;
}
