import { expect, test } from "vitest";
import { metricsRegistry } from "./metrics.ts";

test("label values that never end cost a bounded number of series", () => {
  const metrics = metricsRegistry();
  const counter = metrics.counter("refusals_total", "Refusals");
  for (let name = 0; name < 10_000; name += 1) counter.add(1, { name: String(name) });
  const [family] = metrics.families();
  expect(family?.series.length).toBeLessThanOrEqual(2000);
});

test("one name is one series, whoever counts on it and in whatever order it writes its labels", () => {
  const metrics = metricsRegistry();
  metrics.counter("a_total", "A").add(1, { x: "1", y: "2" });
  metrics.counter("a_total", "A").add(2, { y: "2", x: "1" });
  expect(metrics.families().flatMap(({ series }) => series.map(({ value }) => value))).toEqual([3]);
});

test("a bound series is the one that its labels name", () => {
  const metrics = metricsRegistry();
  const counter = metrics.counter("a_total", "A");
  counter.bind({ type: "EDS" }).add(2);
  counter.add(1, { type: "EDS" });
  expect(metrics.families()[0]?.series).toEqual([{ labels: { type: "EDS" }, value: 3 }]);
});

test("buckets hold all values up to their bound, the bound itself included", () => {
  const metrics = metricsRegistry();
  const histogram = metrics.histogram("seconds", "Seconds", [1, 2]);
  const bound = histogram.bind({});
  for (const value of [0.5, 1, 1.5, 2]) bound.observe(value);
  histogram.observe(3);
  expect(metrics.families()[0]?.series).toEqual([{ labels: {}, value: 8, buckets: [2, 4, 5], count: 5 }]);
});
