import { expect, test } from "vitest";
import { fanOutWindow } from "./fan-out-window.ts";

test("a push to few proxies is followed by the next one at once", () => {
  expect(fanOutWindow().msAfter(200)).toBe(0);
});

test("the pause grows with the proxies told, up to a second", () => {
  const window = fanOutWindow();
  expect(window.msAfter(1000)).toBeCloseTo(60);
  expect(window.msAfter(1_000_000)).toBe(1000);
});

test("a machine on which deliveries take longer pauses longer, within bounds", () => {
  const window = fanOutWindow();
  const push = (streams: number, msEach: number) => {
    window.told(streams, 0);
    for (let n = 1; n <= streams; n++) window.taken(n * msEach);
  };
  for (let round = 0; round < 30; round++) push(1000, 0.1);
  expect(window.msAfter(1000)).toBeCloseTo(200, 0);
  for (let round = 0; round < 30; round++) push(1000, 100);
  expect(window.msAfter(1000)).toBeCloseTo(400, 0);
  const before = window.msAfter(1000);
  push(50, 0.001);
  expect(window.msAfter(1000)).toBe(before);
});

test("what is left of a push is known while it is being delivered", () => {
  const window = fanOutWindow();
  window.told(1000, 0);
  expect(window.backlogMs()).toBeCloseTo(30);
  for (let n = 0; n < 1000; n++) window.taken(1);
  window.taken(2);
  expect(window.backlogMs()).toBe(0);
});
