import { expect, test } from "vitest";
import { ABSENT, ASKED, HeldNames } from "./held-names.ts";

test("what is noted of all names at once can be changed for one of them, and the set of names stays as it was", () => {
  const all = new Set(["a", "b", "c"]);
  const held = new HeldNames();
  held.setAll(all, ASKED);
  expect([held.size, held.has("b"), held.get("b"), held.has("d"), held.get("d")]).toEqual([
    3,
    true,
    ASKED,
    false,
    undefined,
  ]);
  expect([...held.entries()]).toEqual([
    ["a", ASKED],
    ["b", ASKED],
    ["c", ASKED],
  ]);
  held.set("b", "1");
  held.set("d", ABSENT);
  held.delete("a");
  expect([...held.entries()]).toEqual([
    ["b", "1"],
    ["c", ASKED],
    ["d", ABSENT],
  ]);
  expect([...all]).toEqual(["a", "b", "c"]);
});

test("names can be deleted while one goes through them, and all can be forgotten", () => {
  const held = new HeldNames();
  held.setAll(new Set(["a", "b", "c"]), ASKED);
  const seen: string[] = [];
  for (const [name] of held.entries()) {
    seen.push(name);
    if (name !== "b") held.delete(name);
  }
  expect([seen, [...held.entries()]]).toEqual([["a", "b", "c"], [["b", ASKED]]]);
  held.setAll(new Set(), ASKED);
  expect(held.size).toBe(1);
  held.clear();
  expect([held.size, held.has("b")]).toEqual([0, false]);
});
