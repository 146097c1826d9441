import fc from "fast-check";
import { expect, test } from "vitest";
import type { ResourceView } from "../mesh/mod.ts";
import { type Resource, type ResourceTable, TYPE_URLS, type TypeUrl } from "../xds/resource.ts";
import { ClassTable, holdSecrets } from "./class-table.ts";
import { changedViews, nextContent, type PartContent } from "./part-content.ts";

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

const secrets = holdSecrets({ resources: [] });

test("a table made step by step is the table made at once, and says truly what changed since", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(someViews, someViews), { minLength: 2, maxLength: 6 }), (steps) => {
      let serial = 0;
      let previous: readonly (PartContent | undefined)[] = [];
      let before: ClassTable | undefined;
      for (const step of steps) {
        // Two parts of one table never have a name in common.
        const parts = [
          step[0],
          step[1].filter(({ kind, name }) => !step[0].some((own) => own.kind === kind && own.name === name)),
        ];
        const contents = parts.map((part, position) => {
          const old = previous[position];
          const prepared = new Set([...changedViews(old, part), ...(old?.views ?? [])]);
          for (const view of part) expect(prepared).toContain(view);
          return nextContent(old, part, resourceOf, ++serial);
        });
        const table: ClassTable = new ClassTable(1, contents, secrets, before);
        const fresh = new ClassTable(
          1,
          parts.map((part) => nextContent(undefined, part, resourceOf, ++serial)),
          secrets,
        );
        for (const typeUrl of types) {
          expect(content(table, typeUrl)).toEqual(content(fresh, typeUrl));
          expect(table.names(typeUrl).size).toBe(content(fresh, typeUrl).size);
          const told = before?.changesSince(before, typeUrl) && table.changesSince(before, typeUrl);
          if (before === undefined || told === undefined) continue;
          const [old, now] = [content(before, typeUrl), content(table, typeUrl)];
          const names = [...new Set([...old.keys(), ...now.keys()])].filter((name) => old.get(name) !== now.get(name));
          expect([...told].sort()).toEqual(names.sort());
        }
        previous = contents;
        before = table;
      }
    }),
  );
});

const of = (name: string, version: string) =>
  views.filter(({ resource }) => resource.name === name && resource.version === version).map(({ view }) => view);

test("an endpoint that changes tells its name without all names being compared, and keeps the names that streams share", () => {
  const before = nextContent(undefined, [...of("a", "v1"), ...of("b", "v1")], resourceOf, 1);
  const [clusterA, , ...rest] = before.views;
  const after = nextContent(
    before,
    [clusterA, of("a", "v2")[1], ...rest].filter((view) => view !== undefined),
    resourceOf,
    2,
  );
  const [old, table] = [new ClassTable(1, [before], secrets), new ClassTable(2, [after], secrets)];
  expect(table.changesSince(old, TYPE_URLS.endpoints)).toEqual(["a"]);
  expect(table.changesSince(old, TYPE_URLS.cluster)).toEqual([]);
  expect(table.names(TYPE_URLS.endpoints)).toBe(old.names(TYPE_URLS.endpoints));
});
