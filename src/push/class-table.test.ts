import fc from "fast-check";
import { expect, test } from "vitest";
import type { ResourceView } from "../mesh/mod.ts";
import { type Resource, type ResourceTable, TYPE_URLS, type TypeUrl } from "../xds/resource.ts";
import { type ClassContent, changedViews, classTable, nextContent } from "./class-table.ts";

const types = [TYPE_URLS.cluster, TYPE_URLS.endpoints] as const;

/** A pool of views that share objects, as snapshots do: two types, some names, some versions of each. */
const views = [0, 1].flatMap((type) =>
  ["a", "b", "c", "d"].flatMap((name) =>
    [1, 2].map((version) => {
      const view: ResourceView =
        type === 0
          ? { kind: "local-cluster", name, port: version }
          : { kind: "endpoints", name, endpoints: [{ address: "10.0.0.1", port: version }] };
      const resource: Resource = {
        typeUrl: types[type] ?? types[0],
        name,
        version: `v${version}`,
        bytes: new Uint8Array(),
      };
      return { view, resource };
    }),
  ),
);
const resourceOf = (view: ResourceView) => views.find((each) => each.view === view)?.resource;

/** At most one view of each type and name, in the order of the pool. */
const someViews = fc
  .subarray(views)
  .map((chosen) =>
    chosen.filter(
      ({ view }, at) =>
        chosen.findIndex((other) => other.view.kind === view.kind && other.view.name === view.name) === at,
    ),
  )
  .map((chosen) => chosen.map(({ view }) => view));

function content(table: ResourceTable, typeUrl: TypeUrl) {
  return new Map([...table.names(typeUrl)].map((name) => [name, table.get(typeUrl, name)?.version]));
}

test("a table made step by step is the table made at once, and says truly what changed since", () => {
  fc.assert(
    fc.property(fc.array(someViews, { minLength: 2, maxLength: 6 }), (steps) => {
      let previous: ClassContent | undefined;
      let before: ResourceTable | undefined;
      for (const step of steps) {
        const prepared = new Set([...changedViews(previous, step), ...(previous?.views ?? [])]);
        for (const view of step) expect(prepared).toContain(view);
        const next = nextContent(previous, step, resourceOf);
        const table = classTable(1, next, { resources: [] });
        const fresh = classTable(1, nextContent(undefined, step, resourceOf), { resources: [] });
        for (const typeUrl of types) {
          expect(content(table, typeUrl)).toEqual(content(fresh, typeUrl));
          const told = before && table.changesSince?.(before, typeUrl);
          if (before === undefined || told === undefined) continue;
          const [old, now] = [content(before, typeUrl), content(table, typeUrl)];
          const names = [...new Set([...old.keys(), ...now.keys()])].filter((name) => old.get(name) !== now.get(name));
          expect([...told].sort()).toEqual(names.sort());
        }
        previous = next;
        before = table;
      }
    }),
  );
});

test("an endpoint that changes tells its name without all names being compared", () => {
  const of = (name: string, version: string) =>
    views.filter(({ resource }) => resource.name === name && resource.version === version).map(({ view }) => view);
  const before = nextContent(undefined, [...of("a", "v1"), ...of("b", "v1")], resourceOf);
  const [clusterA, , ...rest] = before.views;
  const after = nextContent(
    before,
    [clusterA, of("a", "v2")[1], ...rest].filter((view) => view !== undefined),
    resourceOf,
  );
  const table = classTable(2, after, { resources: [] });
  expect(table.changesSince?.(classTable(1, before, { resources: [] }), TYPE_URLS.endpoints)).toEqual(["a"]);
  expect(table.changesSince?.(classTable(1, before, { resources: [] }), TYPE_URLS.cluster)).toEqual([]);
});
