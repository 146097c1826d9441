/** The tables of one workload class: resources of its views and the secrets of its identity, each table immutable. */
import type { ResourceView } from "../mesh/mod.ts";
import { type Resource, type ResourceTable, TYPE_URLS, type TypeUrl } from "../xds/resource.ts";
import type { TableSecrets } from "./table-secrets.ts";

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
  const { from, to } = changedSpan(previous, views);
  let hasGaps = false;
  const span = views.slice(from, to).map((view) => {
    const resource = resourceOf(view);
    if (resource !== undefined) return resource;
    hasGaps = true;
    return lastGood(previous, view);
  });
  const tail = previous.resources.length - (views.length - to);
  // What says the same stays the same object, so that a comparison by identity tells.
  if (isEqualSpan(span, previous.resources.slice(from, tail))) return { ...previous, views, hasGaps };
  const resources = previous.resources.slice(0, from).concat(span, previous.resources.slice(tail));
  const index = hasSameNames(span, previous.resources.slice(from, tail)) ? previous.index : indexOf(resources);
  return { views, resources, hasGaps, index };
}

/** The views, of those in `views`, whose resources are not simply those of `previous`. */
export function changedViews(previous: ClassContent = EMPTY, views: readonly ResourceView[]): readonly ResourceView[] {
  if (views === previous.views && !previous.hasGaps) return [];
  const { from, to } = changedSpan(previous, views);
  return views.slice(from, to);
}

/** Where `views` differs from the previous ones: between an equal head and an equal tail, for most changes are local. */
function changedSpan(
  previous: ClassContent,
  views: readonly ResourceView[],
): { readonly from: number; readonly to: number } {
  if (previous.hasGaps) return { from: 0, to: views.length };
  const shorter = Math.min(previous.views.length, views.length);
  let from = 0;
  while (from < shorter && previous.views[from] === views[from]) from += 1;
  let tail = 0;
  while (tail < shorter - from && previous.views.at(-1 - tail) === views.at(-1 - tail)) tail += 1;
  return { from, to: views.length - tail };
}

/** Whether tables made of the two say the same. */
export function isSameContent(left: ClassContent, right: ClassContent): boolean {
  return left.resources === right.resources;
}

interface ClassTable extends ResourceTable {
  readonly content: ClassContent;
  readonly secrets: TableSecrets;
}

/** The table of one class at one generation. */
export function classTable(generation: number, content: ClassContent, secrets: TableSecrets): ResourceTable {
  const secretByName = new Map(secrets.resources.map((secret) => [secret.name, secret]));
  const table: ClassTable = {
    generation,
    content,
    secrets,
    get(typeUrl, name) {
      if (typeUrl === TYPE_URLS.secret) return secretByName.get(name);
      const position = content.index.get(typeUrl)?.get(name);
      return position === undefined ? undefined : content.resources[position];
    },
    names: (typeUrl) =>
      typeUrl === TYPE_URLS.secret ? secretByName.keys() : (content.index.get(typeUrl)?.keys() ?? []),
    changesSince: (previous, typeUrl) =>
      typeUrl !== TYPE_URLS.secret && isClassTable(previous)
        ? changedNames(previous.content, content, typeUrl)
        : undefined,
    isAsGood: (typeUrl, name, version) => typeUrl === TYPE_URLS.secret && (secrets.isAsGood?.(name, version) ?? false),
    isAwaited: (typeUrl, name) => typeUrl === TYPE_URLS.secret && (secrets.isAwaited?.(name) ?? false),
  };
  return table;
}

function isClassTable(table: ResourceTable): table is ClassTable {
  return "content" in table;
}

/** Tables that hold the same names hold them at the same positions; undefined for others. */
function changedNames(previous: ClassContent, next: ClassContent, typeUrl: TypeUrl): readonly string[] | undefined {
  if (previous.index !== next.index) return undefined;
  const changed: string[] = [];
  // A plain loop: it runs over every resource of every class whenever anything changes.
  for (let position = 0; position < next.resources.length; position++) {
    const resource = next.resources[position];
    const before = previous.resources[position];
    if (resource === before || resource?.typeUrl !== typeUrl) continue;
    if (resource.version !== before?.version) changed.push(resource.name);
  }
  return changed;
}

function lastGood(previous: ClassContent, view: ResourceView): Resource | undefined {
  const position = previous.views.findIndex((each) => each.kind === view.kind && each.name === view.name);
  return previous.resources[position];
}

type Span = readonly (Resource | undefined)[];

function isEqualSpan(left: Span, right: Span): boolean {
  return hasSameNames(left, right) && left.every((each, n) => each?.version === right[n]?.version);
}

function hasSameNames(left: Span, right: Span): boolean {
  return (
    left.length === right.length &&
    left.every((each, n) => each === right[n] || (each?.name === right[n]?.name && each?.typeUrl === right[n]?.typeUrl))
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
