import { expect, test } from "vitest";
import { manualClock } from "../../lib/mod.ts";
import { RequestBudget } from "./request-budget.ts";

test("a cold proxy may ask for thousands of things at once, and a flood is slowed to 64 a second", () => {
  const clock = manualClock();
  const budget = new RequestBudget(clock);
  let received = 0;
  const receive = () => {
    budget.received();
    received++;
    return budget.isSpent;
  };
  while (!receive());
  expect(received).toBe(10_000);
  clock.advance(1000);
  expect(budget.isSpent).toBe(false);
  while (!receive());
  expect(received).toBe(10_064);
});

test("a proxy that only acknowledges is never slowed down", () => {
  const budget = new RequestBudget(manualClock());
  for (let n = 0; n < 100_000; n++) {
    budget.sent();
    budget.received();
  }
  expect(budget.isSpent).toBe(false);
});
