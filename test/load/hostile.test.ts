import { expect, test } from "vitest";
import { delays, siege } from "../../bench/hostile/siege.ts";

/** Allocators keep what they had; a server that grows with every session grows by more. */
const GROWTH_MAX_BYTES = 24 * 2 ** 20;
/** Noise of a small machine; `npm run bench -- --full` holds the real bound. */
const DELAY_FACTOR_MAX = 3;
const DELAY_SLACK_MS = 50;

test("1,000 hostile sessions neither end nor enlarge the server, and honest proxies are served meanwhile", async () => {
  const result = await siege({ sessions: 334, rounds: 2, atOnce: 12 });
  expect(result.errors).toEqual({});
  expect(result.strangersLeft).toBe(0);
  expect(result.endedByServer).toBeGreaterThan(0);
  const [first = 0, ...others] = result.residentBytes;
  expect(Math.max(...others) - first, `resident bytes: ${result.residentBytes.join(" ")}`).toBeLessThan(
    GROWTH_MAX_BYTES,
  );
  const [quiet, besieged] = [delays(result.quietMs), delays(result.besiegedMs)];
  expect(besieged.p99, JSON.stringify({ quiet, besieged })).toBeLessThan(quiet.p99 * DELAY_FACTOR_MAX + DELAY_SLACK_MS);
});
