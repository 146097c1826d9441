import { expect, test } from "vitest";
import { summarize } from "./measurement.ts";
import type { SavedRun } from "./saved-runs.ts";
import { trendPage } from "./trend-page.ts";

function run(runtime: string, value: number): SavedRun {
  return {
    schema: 3,
    commit: "0123456789",
    isDirty: false,
    date: "2026-11-22T00:00:00.000Z",
    machine: { system: "Linux", kernel: "6", cpus: 2, model: "any", memoryMiB: 1 },
    runtime: { name: runtime, version: "1" },
    command: ["npm", "run", "bench"],
    measurements: [{ name: "fleet/K: churn, to each proxy", unit: "ms", samples: summarize([value]) }],
    counts: [],
  };
}

test("runs on another runtime have a line of their own", () => {
  const page = trendPage([run("node", 1), run("node", 2), run("deno", 8)]);
  const captions = [...page.matchAll(/<figcaption>([^<]*) <b>([^<]*)</g)].map(([, name, last]) => [name, last]);
  expect(captions).toEqual([
    ["churn, to each proxy", "2.00 ms"],
    ["churn, to each proxy, on deno", "8.00 ms"],
  ]);
  expect(page.match(/<circle/g)).toHaveLength(3);
});
