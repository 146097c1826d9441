import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { summarize } from "./measurement.ts";
import { loopDelayLine } from "./readme-loop-delays.ts";
import { withNumbers } from "./readme-numbers.ts";
import { readRuns } from "./saved-runs.ts";

test("every number of the README's tables is that of the latest run in perf-results (npm run bench:readme -- --write)", () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const { text, problems } = withNumbers(readme, readRuns());
  expect(problems).toEqual([]);
  expect(text).toBe(readme);
});

const run = (runtime: string, measurements: Readonly<Record<string, number>>, commit = "", date = "") => ({
  schema: 3 as const,
  commit,
  isDirty: false,
  date,
  machine: { system: "", kernel: "", cpus: 2, model: "", memoryMiB: 1 },
  runtime: { name: runtime, version: "" },
  command: [],
  measurements: Object.entries(measurements).map(([name, value]) => ({
    name,
    unit: "ms" as const,
    samples: summarize([value]),
  })),
  counts: [],
});
const STALENESS = "fleet/staleness: endpoint-churn, to each proxy";
const [BYTES, NEEDED] = ["bytes per delivery", "deliveries per needed one"].map(
  (each) => `fleet/endpoint-change: one at a time, ${each}`,
) as [string, string];
const LOOP = "fleet/endpoint-change/X5: cold start, server loop delay, p99.9";

test("a reader learns which rows were measured at another commit than most", () => {
  const readme = `| 20 changes a second that all 200 see (W1) | old | 15 ms |
| event loop of the server in it, delay p99.9 | old | 50 ms |
| one endpoint: bytes for each proxy; resources sent to resources needed (W2) | old | 500 B; 1 |

Measured at commit 1234567.`;
  const [older, newer] = [
    run("node", { [STALENESS]: 1, [LOOP]: 2 }, "aaaaaaaaaa", "2026-01-01"),
    run("node", { [LOOP]: 3 }, "bbbbbbbbbb", "2026-01-02"),
  ];
  const line = (...runs: (typeof older)[]) => withNumbers(readme, runs).text.split("\n").at(-1);
  expect(line(older)).toBe("Measured at commit aaaaaaa.");
  expect(line(older, newer)).toBe(
    "Measured at commit bbbbbbb, but for these rows: 20 changes a second that all 200 see (W1) (aaaaaaa).",
  );
  const again = run("node", { [LOOP]: 4 }, "cccccccccc", "2026-01-03");
  const both = run("node", { [STALENESS]: 1, [LOOP]: 2, [BYTES]: 1, [NEEDED]: 1 }, "aaaaaaaaaa", "2026-01-01");
  expect(line(both, again)).toBe(
    "Measured at commit aaaaaaa, but for these rows: event loop of the server in it, delay p99.9 (ccccccc).",
  );
});

test("a column on Deno has the numbers of runs on Deno, and a dash where there is none", () => {
  const table = (first: string, second: string) => `| what | measured | on Deno | aim |
| --- | --- | --- | --- |
| 20 changes a second that all 200 see (W1) | ${first} | 15 ms |
| event loop of the server in it, delay p99.9 | ${second} | 50 ms |`;
  const { text } = withNumbers(table("old | old", "old | old"), [
    run("node", { [STALENESS]: 11 }),
    run("deno", { [STALENESS]: 22 }),
  ]);
  expect(text).toBe(table("11 ms | 22 ms", "? | –"));
});

test("a run of which a row shows nothing is not named as that row's", () => {
  const split = "| a split weight edited, 1,000 proxies that see it (W3) | old | old | aim |";
  const readme = `| what | measured | on Deno | aim |\n| --- | --- | --- | --- |\n${split}\n\nMeasured at commit 1234567.`;
  const names = ["to each proxy", "to the last proxy", "bytes per delivery"].map(
    (each) => `fleet/policy-edit: split, ${each}`,
  );
  const all = run("node", Object.fromEntries(names.map((name) => [name, 1])), "aaaaaaaaaa", "2026-01-02");
  const some = run("deno", { [names[0] ?? ""]: 1 }, "bbbbbbbbbb", "2026-01-01");
  expect(withNumbers(readme, [some, all]).text.split("\n").at(-1)).toBe("Measured at commit aaaaaaa.");
});

test("a reader learns of every scenario in whose latest run the event loop was late, whatever came before", () => {
  const delay = (scenario: string) => `fleet/${scenario}, server loop delay, p99.9`;
  const line = loopDelayLine([
    run("node", { [delay("a: cold start")]: 90, [delay("b: churn (bound by the client)")]: 99 }, "aaaaaaaaaa"),
    run("deno", { [delay("a: cold start")]: 99 }, "cccccccccc"),
    run("node", { [delay("a: cold start")]: 20, [delay("c: x")]: 51, [delay("c: y")]: 40 }, "bbbbbbbbbb"),
  ]);
  expect(line).toContain("met in 1 of 3 scenarios; longer in `fleet/b` 99 ms (aaaaaaa), `fleet/c` 51 ms (bbbbbbb).");
});
