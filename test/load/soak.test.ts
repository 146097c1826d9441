import { expect, test } from "vitest";
import { excess, soak } from "../../bench/soak.ts";

/** A leak of 3 kB for each change is more than this within the time; the noise of small heaps is less. */
const GROWTH_MAX_BYTES = 2 * 2 ** 20;

test("45 seconds of changes and reconnects leaves nothing behind", async () => {
  const result = await soak({ seconds: 45, changesPerLook: 60, restMs: 0 });
  expect(result.changes).toBeGreaterThan(300);
  expect(result.refused).toBe(0);
  expect(result.repeated).toBe(0);
  expect(result.errors).toEqual({});
  expect(result.streamsLeft).toBe(0);
  expect(excess(result.resourcesBefore, result.resourcesAfter), JSON.stringify(result)).toBe(0);
  // Programs are compiled and caches filled at first; what is kept for a while makes the rest go up and down.
  const quarter = Math.floor(result.heap.length / 4);
  const growth = Math.min(...result.heap.slice(-quarter)) - Math.min(...result.heap.slice(quarter, 2 * quarter));
  expect(growth, `heap: ${result.heap.join(" ")}`).toBeLessThan(GROWTH_MAX_BYTES);
});
