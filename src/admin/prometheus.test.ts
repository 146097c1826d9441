import { expect, test } from "vitest";
import { metricsRegistry } from "../lib/mod.ts";
import { renderMetrics } from "./prometheus.ts";

test("a scraper reads counters, gauges and histograms, and a label value with quotes does not break the line", () => {
  const metrics = metricsRegistry();
  metrics.counter("osm_sent_total", "Responses sent.").add(2, { type: 'a"b\\c\nd' });
  metrics.observed("osm_up", "Whether it is up.", () => 1);
  const histogram = metrics.histogram("osm_time_seconds", "Time.", [0.1, 1]);
  histogram.observe(0.05);
  histogram.observe(5);
  expect(renderMetrics(metrics)).toBe(
    [
      "# HELP osm_sent_total Responses sent.",
      "# TYPE osm_sent_total counter",
      'osm_sent_total{type="a\\"b\\\\c\\nd"} 2',
      "# HELP osm_up Whether it is up.",
      "# TYPE osm_up gauge",
      "osm_up 1",
      "# HELP osm_time_seconds Time.",
      "# TYPE osm_time_seconds histogram",
      'osm_time_seconds_bucket{le="0.1"} 1',
      'osm_time_seconds_bucket{le="1"} 1',
      'osm_time_seconds_bucket{le="+Inf"} 2',
      "osm_time_seconds_sum 5.05",
      "osm_time_seconds_count 2",
      "",
    ].join("\n"),
  );
});

test("a counter that nothing has counted yet is shown as 0, so that rates start from a known value", () => {
  const metrics = metricsRegistry();
  metrics.counter("osm_nacks_total", "Refused responses.");
  expect(renderMetrics(metrics)).toContain("\nosm_nacks_total 0\n");
});
