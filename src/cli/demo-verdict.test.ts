import { describe, expect, test } from "vitest";
import type { CallCount, Expectation } from "../main/mod.ts";
import { judge } from "./demo-verdict.ts";

const call = (answeredBy: string, outcome: string, count: number, to = "bookstore"): CallCount => ({
  to,
  answeredBy,
  outcome,
  count,
});
const expecting = (kind: "served" | "refused" | "unbroken"): Expectation => ({
  kind,
  from: "bookbuyer",
  to: "bookstore",
});
const sharing = (v1: number, v2: number): Expectation => ({
  kind: "shares",
  from: "bookbuyer",
  to: "bookstore",
  shares: { v1, v2 },
});
const state = (expectation: Expectation, ...calls: CallCount[]) => judge(expectation, calls).state;

test("one failure among many answers is seen, and said with how it ended", () => {
  const calls = [call("v1", "200", 900), call("", "503", 1)];
  expect(judge(expecting("served"), calls)).toMatchObject({
    state: "unmet",
    observed: "900 of 901 calls served, 1 x status 503",
  });
  expect(judge(expecting("unbroken"), calls)).toMatchObject({
    state: "unmet",
    observed: "1 of 901 calls failed, 1 x status 503",
  });
});

test("calls to others count for nothing, and too few calls prove nothing", () => {
  expect(state(expecting("served"), call("x", "503", 50, "elsewhere"), call("v1", "200", 19))).toBe("open");
  expect(state(expecting("served"), call("v1", "200", 20))).toBe("met");
  expect(state(expecting("refused"))).toBe("open");
});

test("refused means at once and by the mesh: silence, an unknown name or a broken upstream are something else", () => {
  expect(state(expecting("refused"), call("", "reset", 10), call("", "refused", 10))).toBe("met");
  for (const outcome of ["timeout", "unresolved", "503", "404", "200"]) {
    expect(state(expecting("refused"), call("", "refused", 100), call("", outcome, 1)), outcome).toBe("unmet");
  }
});

describe("shares", () => {
  test("half and half holds within four standard deviations, that is 4 * sqrt(n) / 2 calls", () => {
    // n = 400: 200 +- 40.
    expect(state(sharing(0.5, 0.5), call("v1", "200", 240), call("v2", "200", 160))).toBe("met");
    expect(state(sharing(0.5, 0.5), call("v1", "200", 241), call("v2", "200", 159))).toBe("unmet");
    expect(judge(sharing(0.5, 0.5), [call("v1", "200", 200), call("v2", "200", 200)]).expected).toContain("40 calls");
  });

  test("all and nothing are exact from the first call on", () => {
    expect(state(sharing(1, 0), call("v1", "200", 100))).toBe("met");
    expect(state(sharing(1, 0), call("v1", "200", 99))).toBe("open");
    expect(state(sharing(1, 0), call("v1", "200", 5), call("v2", "200", 1))).toBe("unmet");
  });

  test("an answer by somebody who has no share is none of the split", () => {
    expect(state(sharing(0.5, 0.5), call("v1", "200", 100), call("v2", "200", 100), call("v3", "200", 1))).toBe(
      "unmet",
    );
  });
});
