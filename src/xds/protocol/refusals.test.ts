import { expect, test } from "vitest";
import { refusalMemory } from "./refusals.ts";

const TYPE = "type";

test("a proxy that refuses everything costs bounded memory, and the newest refusals are the ones that count", () => {
  const memory = refusalMemory();
  for (let name = 0; name < 10_000; name += 1) {
    memory.refuse(TYPE, `name-${name}`, "1");
    memory.markUncertain(TYPE, `name-${name}`);
  }
  for (let version = 0; version < 100; version += 1) memory.refuse(TYPE, "often", String(version));
  expect([...memory.uncertainNames(TYPE)].length).toBeLessThanOrEqual(4096);
  expect(memory.isRefused(TYPE, "name-0", "1")).toBe(false);
  expect(memory.isRefused(TYPE, "name-9999", "1")).toBe(true);
  expect(memory.isRefused(TYPE, "often", "0")).toBe(false);
  expect(memory.isRefused(TYPE, "often", "99")).toBe(true);
});

test("a proxy that refuses what it hears of ever other types costs bounded memory", () => {
  const memory = refusalMemory();
  const types = Array.from({ length: 1000 }, (_, type) => `type-${type}`);
  for (const type of types) memory.markUncertain(type, "name");
  const remembered = types.filter((type) => memory.isUncertain(type, "name"));
  expect(remembered.length).toBeLessThanOrEqual(8);
  expect(remembered.at(-1)).toBe("type-999");
});
