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
