/**
 * The exact gates: what each action costs, from object to bytes, does not depend on the machine. The table is
 * `counts.txt`; a change of it is a change of behaviour that a reviewer has to see. `npm test -- test/gates/counts -u`
 * writes it anew.
 */
import { describe, expect, test } from "vitest";
import type { ResourceView } from "../../src/mesh/mod.ts";
import type { ResourceSource } from "../../src/push/mod.ts";
import type { Resource, ResourceTable, TableSource } from "../../src/xds/mod.ts";
import { countAll } from "./actions.ts";
import { countsTable, differences } from "./counts-table.ts";
import type { Parts } from "./line.ts";

/** What the honest line costs: the first test holds it against the committed table. */
const honest = countAll().then(countsTable);

describe("exact gates", () => {
  test("every action costs what the committed table says", async () => {
    await expect(await honest).toMatchFileSnapshot("./counts.txt");
  });

  test("a server that makes everything anew for everybody is found", async () => {
    const found = await foundWith({ resources: recomputeAll });
    expect(found.get("generated")).toContain("policies, 8 x 3: an endpoint goes");
    expect([...found.keys()]).toEqual(["generated"]);
  });

  test("a server that sends again what did not change is found", async () => {
    const found = await foundWith({ tables: versionsByGeneration });
    expect(found.get("spurious")).toContain("open, 5 x 4: an endpoint goes");
    expect(found.get("bytes")).toContain("policies, 8 x 3: a policy allows less");
    expect(found.get("responses")).toContain("policies, 8 x 3: an endpoint goes");
    expect(found.has("generated")).toBe(false);
  });

  test("a server that loses its cache is found", async () => {
    const found = await foundWith({ resources: lostCache });
    expect(found.get("generated")).toContain("open, 5 x 4: and comes back");
    expect([...found.keys()]).toEqual(["generated"]);
  });
});

/** Columns in which a line with these parts differs from the table, with the actions: what would turn the gate red. */
async function foundWith(parts: Parts): Promise<ReadonlyMap<string, readonly string[]>> {
  return differences(await honest, countsTable(await countAll(parts)));
}

/** Every view that was ever asked for is generated again whenever one is. */
function recomputeAll(source: ResourceSource, make: () => ResourceSource): ResourceSource {
  const views = new Set<ResourceView>();
  let current = source;
  return {
    async prepare(wanted) {
      for (const view of wanted) views.add(view);
      current = make();
      await current.prepare(views);
    },
    get: (view) => current.get(view),
    retryAt: () => current.retryAt(),
  };
}

/** What a pass made is forgotten with the pass. */
function lostCache(source: ResourceSource, make: () => ResourceSource): ResourceSource {
  const made = new WeakMap<ResourceView, Resource>();
  return {
    async prepare(wanted) {
      const once = make();
      const views = [...wanted];
      await once.prepare(views);
      for (const view of views) {
        const resource = once.get(view);
        if (resource !== undefined) made.set(view, resource);
      }
    },
    get: (view) => made.get(view),
    retryAt: () => source.retryAt(),
  };
}

/** Versions count generations instead of naming contents, and nobody says what changed. */
function versionsByGeneration(source: TableSource): TableSource {
  return {
    subscribe(peer, onChange) {
      const subscription = source.subscribe(peer, onChange);
      const known = new WeakMap<ResourceTable, ResourceTable>();
      return {
        current() {
          const table = subscription.current();
          if (table === undefined) return undefined;
          const versioned = known.get(table) ?? withGeneration(table);
          known.set(table, versioned);
          return versioned;
        },
        close: () => subscription.close(),
      };
    },
  };
}

function withGeneration(table: ResourceTable): ResourceTable {
  return {
    generation: table.generation,
    names: (typeUrl) => table.names(typeUrl),
    get(typeUrl, name) {
      const resource = table.get(typeUrl, name);
      return resource === undefined ? undefined : { ...resource, version: `${resource.version}.${table.generation}` };
    },
  };
}
