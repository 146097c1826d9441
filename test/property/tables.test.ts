import fc from "fast-check";
import { expect, test } from "vitest";
import type { MeshRecord, RecordChange } from "../../src/mesh/mod.ts";
import { type Peer, type ResourceTable, TYPE_URLS } from "../../src/xds/resource.ts";
import { clusterIp, denseWorld, NAMESPACES, namespaceOfMesh } from "../support/dense-world.ts";
import { pushBench, quiet, tableContent } from "../support/push-bench.ts";
import { restlessRecords, worldRecords } from "../support/random-world.ts";
import { meshConfig, namespaceRecord, podRecord, put, remove, serviceRecord } from "../support/records.ts";

/** Everybody whom a random world may hold: a pod's account differs from world to world, a proxy's does not. */
const PEERS: readonly Peer[] = NAMESPACES.flatMap((namespace) =>
  ["pod-0", "pod-1", "pod-2"].flatMap((pod) =>
    ["a", "b", "c"].map((serviceAccount) => {
      const uuid = podRecord(namespace, pod, "a", "10.0.0.1").proxyUuid ?? "";
      return { uuid, namespace, pod, serviceAccount };
    }),
  ),
);

interface Edit {
  readonly put: readonly MeshRecord[];
  /** Records that are there, by position in their order. */
  readonly remove: readonly number[];
  /** Whether proxies get their tables before the next edit. */
  readonly isPushed: boolean;
}

const special = fc.oneof(
  fc.record({ isPermissive: fc.boolean(), isEgressEnabled: fc.boolean() }).map((settings) => meshConfig(settings)),
  fc
    .tuple(fc.constantFrom(...NAMESPACES), fc.boolean())
    .map(([namespace, isOurs]) => namespaceRecord(namespace, isOurs ? {} : { monitoredBy: "other" })),
  fc.constantFrom(...NAMESPACES).chain(namespaceOfMesh),
  // A Service that takes an address from one of the other namespace.
  fc
    .tuple(fc.constantFrom("shop", "depot"), fc.constantFrom("a", "b", "c"), fc.constantFrom(-1, 1))
    .map(([namespace, service, createdAt]): MeshRecord => {
      const clusterIps = [clusterIp(namespace, service)];
      return serviceRecord(namespace === "shop" ? "depot" : "shop", "taker", { clusterIps, createdAt });
    }),
);

/** One step from one world towards another, with some records gone, and now and then another mode or namespace. */
function editTowards(records: fc.Arbitrary<readonly MeshRecord[]>): fc.Arbitrary<Edit> {
  return records
    .filter((own) => own.length > 0)
    .chain((own) =>
      fc.record({
        put: fc
          .tuple(
            fc.subarray(
              [...own].filter(({ kind }) => kind !== "MeshConfig" && kind !== "Namespace"),
              { minLength: 0, maxLength: 4 },
            ),
            fc.option(special, { nil: undefined, freq: 5 }),
          )
          .map(([some, other]) => (other === undefined ? some : [...some, other])),
        remove: fc.array(fc.nat(200), { maxLength: 2 }),
        isPushed: fc.integer({ min: 0, max: 3 }).map((value) => value > 0),
      }),
    );
}

const keyOf = (record: MeshRecord) => JSON.stringify(remove(record));

function changesOf(world: Map<string, MeshRecord>, edit: Edit): readonly RecordChange[] {
  const removed = edit.remove.flatMap((position) => [...world.values()][position % Math.max(world.size, 1)] ?? []);
  for (const record of removed) world.delete(keyOf(record));
  for (const record of edit.put) world.set(keyOf(record), record);
  return [...removed.map(remove), ...put(...edit.put)];
}

/** Changes of these may give a pod another class. */
const MOVING_KINDS: ReadonlySet<string> = new Set(["Pod", "Service", "Namespace", "EndpointSlice", "Endpoints"]);

/** What an engine that starts with this world gives to each peer. */
async function freshTables(world: ReadonlyMap<string, MeshRecord>) {
  const bench = pushBench();
  const proxies = PEERS.map((peer) => bench.subscribe(peer));
  bench.change(put(...world.values()));
  await quiet();
  return proxies.map((proxy) => proxy.current() && tableContent(proxy.current()));
}

/** What a table says of its difference to another one is what a comparison of all names says. */
function expectTruth(before: ResourceTable | undefined, after: ResourceTable | undefined): void {
  if (before === undefined || after === undefined) return;
  for (const typeUrl of Object.values(TYPE_URLS)) {
    const told = after.changesSince?.(before, typeUrl);
    if (told === undefined) continue;
    const names = new Set([...before.names(typeUrl), ...after.names(typeUrl)]);
    const differing = [...names].filter(
      (name) => before.get(typeUrl, name)?.version !== after.get(typeUrl, name)?.version,
    );
    expect([...told].sort()).toEqual(differing.sort());
  }
}

async function expectSameTables(start: readonly MeshRecord[], edits: readonly Edit[]): Promise<void> {
  const world = new Map(start.map((record) => [keyOf(record), record]));
  const bench = pushBench();
  // Half of them come while the world is being edited.
  const proxies = PEERS.map((peer, position) => (position % 2 === 0 ? bench.subscribe(peer) : undefined));
  bench.change(put(...world.values()));
  await quiet();
  let mayMove = true;
  for (const [step, edit] of edits.entries()) {
    const changes = changesOf(world, edit);
    mayMove ||= changes.some((change) => MOVING_KINDS.has(change.type === "put" ? change.record.kind : change.kind));
    bench.change(changes);
    const late = PEERS[2 * step + 1];
    if (late !== undefined) proxies[2 * step + 1] ??= bench.subscribe(late);
    if (!edit.isPushed && step < edits.length - 1) continue;
    const before = proxies.map((proxy) => {
      const table = proxy?.current();
      return { calls: proxy?.calls(), table, content: tableContent(table) };
    });
    await quiet();
    const expected = await freshTables(world);
    for (const [position, proxy] of proxies.entries()) {
      const content = tableContent(proxy?.current());
      if (proxy !== undefined && expected[position] !== undefined) expect(content).toEqual(expected[position]);
      expectTruth(before[position]?.table, proxy?.current());
      // Who stays in its class, and whose table says the same, is told nothing.
      if (!mayMove && JSON.stringify(content) === JSON.stringify(before[position]?.content)) {
        expect(proxy?.calls()).toBe(before[position]?.calls);
      }
    }
    mayMove = false;
  }
  expect(bench.errors).toEqual([]);
}

test.each([
  ["without gaps", denseWorld()],
  ["in which names collide", worldRecords()],
  ["in which pods come to other addresses", restlessRecords()],
])(
  "after any edits of worlds %s every proxy has the table that a new engine gives it, and nobody is told of nothing",
  async (_name, records) => {
    const steps = fc.array(editTowards(records), { minLength: 1, maxLength: 6 });
    await fc.assert(fc.asyncProperty(records, steps, expectSameTables));
  },
);
