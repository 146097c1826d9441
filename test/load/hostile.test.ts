import { expect, test } from "vitest";
import { delays, siege } from "../../bench/hostile/siege.ts";

/** What is left of 334 sessions, with the caches that the honest changes meanwhile filled. */
const HEAP_GROWTH_MAX_BYTES = 8 * 2 ** 20;
/** What allocators keep of it. */
const RESIDENT_GROWTH_MAX_BYTES = 160 * 2 ** 20;
/** Whatever else the machine does; `npm run bench -- hostile` measures it. */
const DELAY_MAX_MS = 5_000;

test("1,000 hostile sessions neither end nor enlarge the server, and honest proxies are served meanwhile", async () => {
  const result = await siege({ sessions: 334, rounds: 2, atOnce: 40, perSecond: 100, isEachFromElsewhere: true });
  expect(result.endedByServer + result.endedByUs).toBe(3 * 334);
  expect(result.errors).toEqual({});
  expect(result.strangersLeft).toBe(0);
  expect(result.endedByServer).toBeGreaterThan(0);
  const { heap, residentBytes } = result;
  expect(growth(heap), `heap: ${heap.join(" ")}`).toBeLessThan(HEAP_GROWTH_MAX_BYTES);
  expect(growth(residentBytes), `resident bytes: ${residentBytes.join(" ")}`).toBeLessThan(RESIDENT_GROWTH_MAX_BYTES);
  expect(delays(result.besiegedMs.flat()).p99).toBeLessThan(DELAY_MAX_MS);
});

function growth([first = 0, ...others]: readonly number[]): number {
  return Math.max(...others) - first;
}
