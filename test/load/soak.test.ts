import { expect, test } from "vitest";
import { excess, soak } from "../../bench/soak.ts";

/** A leak of a few hundred bytes per change is more than this within the time; the noise of small heaps is less. */
const GROWTH_MAX_BYTES = 400 * 1024;

test("half a minute of changes and reconnects leaves nothing behind", async () => {
  const result = await soak({ seconds: 30, changesPerLook: 60 });
  expect(result.changes).toBeGreaterThan(300);
  expect(result.refused).toBe(0);
  expect(result.repeated).toBe(0);
  expect(result.errors).toEqual({});
  expect(result.streamsLeft).toBe(0);
  expect(excess(result.resourcesBefore, result.resourcesAfter), JSON.stringify(result)).toBe(0);
  const [, second = 0] = result.heap;
  expect((result.heap.at(-1) ?? 0) - second, `heap: ${result.heap.join(" ")}`).toBeLessThan(GROWTH_MAX_BYTES);
});
