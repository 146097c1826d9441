import { expect, test } from "vitest";
import { debounceWindow } from "./debounce-window.ts";

test("a push to few proxies is followed by the next one at once", () => {
  const window = debounceWindow();
  for (let push = 0; push < 1000; push++) expect(window.msAfter(200, push)).toBe(0);
});

test("a few pushes to many proxies follow each other at once, after a rest again", () => {
  const window = debounceWindow();
  const pauses = (from: number) => Array.from({ length: 7 }, (_, n) => window.msAfter(1000, from + n * 10));
  expect(pauses(0)).toEqual([0, 0, 0, 0, 0, 0, 0]);
  expect(window.msAfter(1000, 70)).toBeGreaterThan(0);
  expect(pauses(1000)).toEqual([0, 0, 0, 0, 0, 0, 0]);
});

test("in a storm the pause grows with the proxies told, up to a second", () => {
  const window = debounceWindow();
  let now = 0;
  for (let push = 0; push < 20; push++) now += window.msAfter(1000, now);
  expect(window.msAfter(1000, now)).toBeCloseTo(60);
  expect(window.msAfter(1_000_000, now + 60)).toBe(1000);
  expect(window.msAfter(1_000_000, now + 1060)).toBe(1000);
  expect(window.msAfter(1000, now + 2060)).toBeCloseTo(60);
});

test("a machine on which deliveries take longer pauses longer, within bounds", () => {
  const window = debounceWindow();
  const push = (streams: number, msEach: number) => {
    window.told(streams, 0);
    for (let n = 1; n <= streams; n++) window.taken(n * msEach);
  };
  let now = 0;
  const pauseInStorm = () => {
    let pause = 0;
    for (let round = 0; round < 20; round++) {
      now += pause;
      pause = window.msAfter(1000, now);
    }
    now += pause;
    return pause;
  };
  for (let round = 0; round < 30; round++) push(1000, 0.1);
  expect(pauseInStorm()).toBeCloseTo(200, 0);
  for (let round = 0; round < 30; round++) push(1000, 100);
  expect(pauseInStorm()).toBeCloseTo(400, 0);
  push(50, 0.001);
  expect(pauseInStorm()).toBeCloseTo(400, 0);
});

test("what is left of a push is known while it is being delivered", () => {
  const window = debounceWindow();
  window.told(1000, 0);
  expect(window.backlogMs()).toBeCloseTo(30);
  for (let n = 0; n < 1000; n++) window.taken(1);
  window.taken(2);
  expect(window.backlogMs()).toBe(0);
});
