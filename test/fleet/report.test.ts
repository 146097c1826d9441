import { describe, expect, test } from "vitest";
import {
  namedShape,
  type PhaseReport,
  type RunReport,
  reportHtml,
  reportNotes,
  reportRows,
} from "../../src/fleet/mod.ts";
import { delaysOf } from "../../src/fleet/report-result.ts";
import { metricValue } from "../../src/fleet/run-figures.ts";

const phase: PhaseReport = {
  name: "churn <fast>",
  startMs: 0,
  endMs: 2000,
  changes: 10,
  lateMs: 0,
  deliveries: 500,
  needed: 500,
  resources: 500,
  generated: 10,
  bytes: 150_000,
  toEach: delaysOf([1, 2, 3, 4]),
  toLast: delaysOf([4]),
  staleProxySeconds: 0.01,
  missing: 0,
  recovery: undefined,
  opened: undefined,
  downMs: undefined,
  drainMs: undefined,
  streams: [],
  serverCpuSeconds: 0.02,
  serverRssBytes: 500 * 2 ** 20,
  serverLoopDelayP999Ms: 12,
  serverLoopDelayMaxMs: 30,
  clientCpuSeconds: 1.9,
  clientRssBytes: 2 ** 20,
  isBoundByClient: true,
  warmingTimeouts: 0,
  isMachineBusy: false,
  perChange: [50, 50],
};

const shape = namedShape("W1");
if (shape === undefined) throw new Error("the shape W1 is gone");

const passed: RunReport = {
  schema: 1,
  scenario: {
    name: "churn",
    workload: "W2",
    description: "Endpoints & more.",
    seed: 1,
    shapeName: "W1",
    shape,
    proxies: 1000,
    protocol: "delta",
  },
  startedAt: "2026-01-01T00:00:00.000Z",
  machine: { cpus: 2, runtime: "Node v26", platform: "linux x64" },
  target: "127.0.0.1:1",
  phases: [phase],
  samples: {
    server: [
      { atMs: 0, cpuSeconds: 1, rssBytes: 2 ** 20 },
      { atMs: 250, cpuSeconds: 1.1, rssBytes: 2 ** 21 },
    ],
    clients: [],
  },
  oracle: {
    isPassed: true,
    isExpectationKnown: true,
    proxies: 1000,
    resources: 5,
    fresh: 20,
    refused: 0,
    differences: [],
  },
  errors: {},
  errorExamples: {},
  requiredEndpoints: 0,
};
const failed: RunReport = {
  ...passed,
  phases: [],
  oracle: { ...passed.oracle, isPassed: false, differences: ["pod: has no cluster x"] },
};

describe("a report", () => {
  test("gives a delivery's share of CPU, bytes and memory, and says when the client was the limit", () => {
    const [row] = reportRows(passed);
    expect(row).toEqual([
      "churn <fast>",
      "10",
      "500",
      "500 (x1.00)",
      "10",
      "2 ms",
      "4 ms",
      "4 ms",
      "4 ms",
      "4 ms",
      "40 us",
      "95 %",
      "300",
      "0.5 MiB",
      "12 ms",
      "bound by the client",
    ]);
  });

  test("as a page needs nothing beside it and shows what it plots", () => {
    const page = reportHtml(passed);
    expect(page).not.toMatch(/https?:\/\/|<script|<link|src=/);
    expect(page).toContain("churn &lt;fast&gt;");
    expect(page).toContain("Endpoints &amp; more.");
    expect(page.match(/<svg /g)).toHaveLength(4);
    // What the table calls p50 and p99.
    expect(page).toContain("share of the deliveries that had arrived");
    expect(page).not.toContain("NaN");
  });

  test("of a run in which proxies refuse says how many responses, and else that there was none", () => {
    const refusing = { ...passed, oracle: { ...passed.oracle, refused: 7 } };
    expect(reportNotes(refusing).join("\n")).toContain("; 7 refused on purpose, 0 sent again");
    expect(reportNotes(passed).join("\n")).toContain("; 0 refused, 0 sent again");
  });

  test("of a run in which nobody's table was compared says why that was so", () => {
    const oracle = { ...passed.oracle, proxies: 0, fresh: 0 };
    const unknown = { ...passed, oracle: { ...oracle, isExpectationKnown: false } };
    expect(reportNotes(unknown).join("\n")).toContain("a weak one: what the server should serve is not known");
    expect(reportNotes({ ...passed, oracle }).join("\n")).toContain("a weak one: no proxy was well at the end");
    const single = { ...passed, oracle: { ...passed.oracle, proxies: 1 } };
    expect(reportNotes(single).join("\n")).toContain("oracle: passed; 1 proxy has what it should");
  });

  test("of a run that failed the oracle says what differs and has no numbers", () => {
    expect(reportRows(failed)).toEqual([]);
    expect(reportNotes(failed).join("\n")).toContain("  pod: has no cluster x");
    const page = reportHtml(failed);
    expect(page).toContain("The oracle failed");
    expect(page).not.toContain("<svg");
  });
});

test("delays are summarized by nearest rank, and a large sample keeps both its ends", () => {
  const delays = delaysOf(Array.from({ length: 5000 }, (_, n) => 5000 - n));
  expect(delays).toMatchObject({ count: 5000, p50: 2500, p90: 4500, p99: 4950, max: 5000 });
  expect(delays?.kept).toHaveLength(1000);
  expect([delays?.kept[0], delays?.kept.at(-1)]).toEqual([1, 5000]);
  expect(delaysOf([])).toBeUndefined();
});

test("a metric is read as the sum of its series, or not at all", () => {
  const text = 'a_total{type="x"} 1\na_total{type="y"} 2\na_total_more 5\nb 3\n';
  expect(metricValue(text, "a_total")).toBe(3);
  expect(metricValue(text, "a_total", 'type="y"')).toBe(2);
  expect(metricValue(text, "c")).toBeUndefined();
});
