import { expect, test } from "vitest";
import { workUnderWay } from "./turn-work.ts";

test("work under way is found as often as there are turns, and more of it in long ones", () => {
  const even = { workedMs: Array.from({ length: 10 }, () => 10), ms: 1000 };
  expect(workUnderWay(even, 0.05)).toBeCloseTo(5);
  expect(workUnderWay(even, 0.1)).toBeCloseTo(0);
  expect(workUnderWay(even, 0.5)).toBe(0);
  const oneLong = { workedMs: [...Array.from({ length: 100 }, () => 1), 50], ms: 1000 };
  expect(workUnderWay(oneLong, 0.01)).toBeCloseTo(40);
  expect(workUnderWay(oneLong, 0.1)).toBeCloseTo(0.5, 1);
  expect(workUnderWay({ workedMs: [], ms: 1000 }, 0.01)).toBe(0);
});
