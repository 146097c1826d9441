import { expect, test } from "vitest";
import type { CallCount } from "../main/mod.ts";
import { parseReport } from "./demo-reports.ts";
import { callsBetween, createTraffic } from "./demo-traffic.ts";

const call = (answeredBy: string, outcome: string, count: number): CallCount => ({
  to: "bookstore",
  answeredBy,
  outcome,
  count,
});

test("only calls since the first of two reports count, ways of ending that are new included", () => {
  const before = [call("v1", "200", 10), call("", "refused", 3)];
  const after = [call("v1", "200", 14), call("", "refused", 3), call("v2", "200", 2)];
  expect(callsBetween(before, after)).toEqual([call("v1", "200", 4), call("v2", "200", 2)]);
});

test("a program that was started again is not taken to have made fewer than no calls", () => {
  const after = [call("v1", "200", 4), call("", "reset", 5)];
  expect(callsBetween([call("v1", "200", 10)], after)).toEqual(after);
});

test("rates are those of the last seconds, and a silent program makes no calls", () => {
  const traffic = createTraffic();
  for (const [second, count] of [0, 100, 110, 120, 130].entries()) {
    traffic.add({ app: "bookbuyer", calls: [call("v1", "200", count)] }, 10_000 + second * 1000);
  }
  const rates = (nowMs: number) => traffic.flow("bookbuyer", "bookstore", nowMs).rates;
  expect(rates(14_900)).toEqual([{ answeredBy: "v1", outcome: "200", perSecond: 10 }]);
  expect(rates(17_000)).toEqual([]);
  expect(traffic.flow("bookbuyer", "elsewhere", 14_900).rates).toEqual([]);
  expect(traffic.heard("bookbuyer")).toBe(5);
});

test("lines of a log that are no reports, or no JSON, are passed over", () => {
  expect(parseReport("bookbuyer listens on 14001")).toEqual([]);
  expect(parseReport('{"app":"bookbuyer","calls":[{')).toEqual([]);
  expect(parseReport('{"app":"bookbuyer","calls":[]}')).toEqual([{ app: "bookbuyer", calls: [] }]);
});
