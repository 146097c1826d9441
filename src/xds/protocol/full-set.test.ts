import { expect, test, vi } from "vitest";
import { type ResourceTable, TYPE_URLS, type TypeUrl } from "../resource.ts";
import { FullSet, fullSets } from "./full-set.ts";
import { refusalMemory } from "./refusals.ts";
import { sharedResponses } from "./shared-responses.ts";
import { step } from "./step.ts";
import { createStream } from "./stream-state.ts";
import { tableDifference } from "./table-difference.ts";
import { WireClaims } from "./wire-claims.ts";
import { WireNames } from "./wire-names.ts";

const typeUrl = TYPE_URLS.cluster;
const resource = (name: string) => ({ typeUrl, name, version: `v-${name}`, bytes: new Uint8Array(10) });

const claims = (...entries: readonly (readonly [string, string])[]) => WireClaims.of(entries);

test("a list stands for all names only when it says each of them once, however often one asks", () => {
  const fullSet = new FullSet([resource("a"), resource("b")]);
  for (const list of [
    ["a", "b"],
    ["b", "a"],
  ])
    expect(fullSet.isNamedBy(list)).toBe(true);
  for (const list of [["a"], ["a", "a"], ["a", "c"], ["a", "b", "c"], []]) expect(fullSet.isNamedBy(list)).toBe(false);
  expect(fullSet.isNamedBy(["a", "b"])).toBe(true);
});

test("who claims another version, another name, one too few, or one twice instead of two does not hold all", () => {
  const fullSet = new FullSet([resource("a"), resource("b")]);
  expect(fullSet.isHeldBy(claims(["b", "v-b"], ["a", "v-a"]))).toBe(true);
  for (const wrong of [
    claims(["a", "v-a"], ["b", "v-a"]),
    claims(["a", "v-a"], ["c", "v-b"]),
    claims(["a", "v-a"]),
    claims(["a", "v-a"], ["a", "v-a"]),
    claims(["a", "v-a"], ["b", "v-b"], ["c", "v-c"]),
  ]) {
    expect(fullSet.isHeldBy(wrong)).toBe(false);
  }
});

test("whose versions are another one's, cut in another place, does not hold all", () => {
  const fullSet = new FullSet([resource("a"), resource("ab")]);
  expect(fullSet.isHeldBy(claims(["a", "v-a"], ["ab", "v-ab"]))).toBe(true);
  expect(fullSet.isHeldBy(claims(["a", "v-ab"], ["ab", "v-a"]))).toBe(false);
  expect(
    fullSet.isHeldBy(
      new Map([
        ["a", "v-a"],
        ["ab", "v-ab"],
      ]),
    ),
  ).toBe(true);
  expect(fullSet.isNamedBy(WireNames.of(["ab", "a"]))).toBe(true);
  expect(fullSet.isNamedBy(WireNames.of(["aa", "b"]))).toBe(false);
});

test("a table is listed once for all who begin with it, and forgotten when nobody does", () => {
  let listed = 0;
  const table = (names: readonly string[]): ResourceTable => ({
    generation: 1,
    get: (_type, name) => (name === "gap" ? undefined : resource(name)),
    names: () => {
      listed++;
      return new Set(names);
    },
  });
  const of = fullSets();
  const whole = table(["a", "b"]);
  const fullSet = of.of(whole, typeUrl);
  expect(fullSet?.resources.map(({ name }) => name)).toEqual(["a", "b"]);
  of.age();
  expect(of.of(whole, typeUrl)).toBe(fullSet);
  of.age();
  of.age();
  expect(of.of(whole, typeUrl)).not.toBe(fullSet);
  expect(listed).toBe(2);
  for (const names of [[], ["a", "gap"]]) expect(of.of(table(names), typeUrl)).toBeUndefined();
});

test("a client that asks for types by ever new names leaves nothing behind", () => {
  const kept = vi.spyOn(Map.prototype, "set");
  const of = fullSets();
  const table: ResourceTable = { generation: 1, get: () => undefined, names: () => new Set() };
  for (let n = 0; n < 10; n++) of.of(table, `type-${n}` as TypeUrl);
  const names = kept.mock.calls.map(([name]) => name);
  kept.mockRestore();
  expect(names).toEqual([]);
});

test("who names one of thousands does not have all of them listed", () => {
  const names = new Set(Array.from({ length: 5000 }, (_, n) => `c${n}`));
  const get = vi.fn((_type: TypeUrl, name: string) => (names.has(name) ? resource(name) : undefined));
  const stream = createStream({
    protocol: "delta",
    nodeIds: ["proxy"],
    memory: refusalMemory(),
    difference: tableDifference(),
    responses: sharedResponses(),
  });
  step(stream, { kind: "table", table: { generation: 1, get, names: () => names } });
  const one = { kind: "delta-request", nodeId: "", nonce: "", unsubscribe: [], error: undefined } as const;
  const { responses } = step(stream, { ...one, typeUrl, subscribe: ["c7"], initialVersions: new Map() });
  expect(responses[0]?.resources.map(({ name }) => name)).toEqual(["c7"]);
  expect(get.mock.calls.length).toBeLessThan(10);
});
