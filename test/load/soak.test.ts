import { expect, test } from "vitest";
import { excess, REST_MS, soak } from "../../bench/soak.ts";

/** A leak of 1 kB for each change is twice as much; code that is compiled late is less. */
const GROWTH_MAX_BYTES = 600_000;

test("changes and reconnects leave nothing behind", async () => {
  const result = await soak({ seconds: 90, changesPerLook: 600, restMs: REST_MS });
  expect(result.changes).toBeGreaterThanOrEqual(1200);
  expect(result.refused).toBe(0);
  expect(result.repeated).toBe(0);
  expect(result.errors).toEqual({});
  expect(result.streamsLeft).toBe(0);
  expect(excess(result.resourcesBefore, result.resourcesAfter), JSON.stringify(result)).toBe(0);
  const [first = 0] = result.heap;
  expect((result.heap.at(-1) ?? 0) - first, `heap: ${result.heap.join(" ")}`).toBeLessThan(GROWTH_MAX_BYTES);
});
