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
