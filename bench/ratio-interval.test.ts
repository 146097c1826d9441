import { expect, test } from "vitest";
import { randomNumbers } from "../src/fleet/shape.ts";
import { quantile } from "./measurement.ts";
import { resampledRatios } from "./ratio-interval.ts";

test("a ratio is as uncertain as its events are few, however many proxies saw each", () => {
  const random = randomNumbers(1);
  // Each event is slow or fast for all that see it.
  const events = (count: number, factor: number) =>
    Array.from({ length: count }, () => Array.from({ length: 10 }, () => 0).fill(factor * (1 + random())));
  const ratios = (count: number) => resampledRatios(events(count, 2), events(count, 1), 0.9, random);
  const width = (found: readonly number[]) => quantile(found, 0.975) - quantile(found, 0.025);
  const [few, many] = [ratios(10), ratios(400)];
  expect(quantile(many, 0.5)).toBeCloseTo(2, 1);
  expect(width(few)).toBeGreaterThan(3 * width(many));
});
