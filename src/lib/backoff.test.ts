import { expect, test } from "vitest";
import { backoff } from "./backoff.ts";

test("attempts become rarer up to the limit, never stop, and start over after a success", () => {
  const slowest = backoff({ baseMs: 100, maxMs: 1000, random: () => 0 });
  expect(Array.from({ length: 6 }, () => slowest.next())).toEqual([100, 200, 400, 800, 1000, 1000]);
  for (let attempt = 0; attempt < 2000; attempt += 1) slowest.next();
  expect(slowest.next()).toBe(1000);
  slowest.reset();
  expect(slowest.next()).toBe(100);
  const soonest = backoff({ baseMs: 100, maxMs: 1000, random: () => 0.999 });
  expect(soonest.next()).toBeGreaterThan(50);
});
