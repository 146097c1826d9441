import { expect, test } from "vitest";
import { viewMemory } from "./view-memory.ts";

test("what was made for an owner that is gone is forgotten, and what lives on stays the same object", () => {
  const memory = viewMemory();
  const recalled = (owner: string) => memory.rememberFor(owner, "slot", [], () => ({ owner }));
  const [gone, alive, shared] = [recalled("gone"), recalled("alive"), recalled("")];
  memory.forget((owner) => owner === "alive");
  expect(recalled("alive")).toBe(alive);
  expect(recalled("")).toBe(shared);
  expect(recalled("gone")).not.toBe(gone);
});

test("a result that says the same is the same object, so that nothing downstream is hashed again", () => {
  const memory = viewMemory();
  const owner = {};
  const first = memory.remember(owner, "slot", [1], () => ({ list: ["a"] }));
  expect(memory.remember(owner, "slot", [2], () => ({ list: ["a"] }))).toBe(first);
  expect(memory.remember(owner, "slot", [3], () => ({ list: ["b"] }))).not.toBe(first);
});
