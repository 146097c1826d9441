import { expect, test } from "vitest";
import { manualClock } from "./clock.ts";
import { LoopDelays, observeLoopDelay } from "./loop-delay.ts";
import { metricsRegistry } from "./metrics.ts";

test("says what the longest of many delays was, and what most were below, for a minute", () => {
  const delays = new LoopDelays();
  for (let n = 0; n < 999; n++) delays.add(2, n * 10);
  delays.add(80, 9_990);
  expect(delays.quantileMs(0.5)).toBeCloseTo(2, 0);
  expect(delays.quantileMs(0.999)).toBeLessThan(3);
  expect(delays.quantileMs(0.9999)).toBe(80);
  expect(delays.quantileMs(1)).toBe(80);
  for (let n = 0; n < 6; n++) delays.add(1, 20_000 + n * 10_000);
  expect(delays.quantileMs(1)).toBe(1);
});

test("a loop that was held up shows in the metric", () => {
  const clock = manualClock();
  const metrics = metricsRegistry();
  let lateMs = 0;
  const stop = observeLoopDelay(metrics, { ...clock, monotonic: () => clock.monotonic() + lateMs });
  clock.advance(100);
  lateMs = 70;
  clock.advance(200);
  stop();
  const series = metrics.families().find(({ name }) => name === "osm_event_loop_delay_seconds")?.series ?? [];
  const longest = series.find(({ labels }) => labels["quantile"] === "1");
  expect(longest?.value).toBeCloseTo(0.07, 3);
});
