import { expect, test } from "vitest";
import { manualClock } from "../lib/mod.ts";
import { nextTurn } from "../platform/mod.ts";
import { GATHER_MS, WakeUp } from "./wake-up.ts";

test("a change after a rest waits for no timer, and what happened in one turn is looked at once", async () => {
  const clock = manualClock(0);
  let runs = 0;
  const wakeUp = new WakeUp(clock, () => runs++);
  wakeUp.soon();
  wakeUp.soon();
  wakeUp.after(10);
  expect(runs).toBe(0);
  await nextTurn();
  expect(runs).toBe(1);
  clock.advance(20);
  expect(runs).toBe(1);
});

test("a file that is written to all the time is looked at once in a while", async () => {
  const clock = manualClock(0);
  let runs = 0;
  const wakeUp = new WakeUp(clock, () => runs++);
  for (let ms = 0; ms < 10 * GATHER_MS; ms++) {
    wakeUp.soon();
    await nextTurn();
    clock.advance(1);
  }
  expect(runs).toBeGreaterThanOrEqual(9);
  expect(runs).toBeLessThanOrEqual(11);
});

test("the earliest of several times counts, and none after the end", async () => {
  const clock = manualClock(0);
  let runs = 0;
  const wakeUp = new WakeUp(clock, () => runs++);
  wakeUp.after(30);
  wakeUp.after(10);
  wakeUp.after(20);
  clock.advance(10);
  expect(runs).toBe(1);
  clock.advance(30);
  expect(runs).toBe(1);
  wakeUp.after(5);
  wakeUp.stop();
  wakeUp.soon();
  clock.advance(5);
  await nextTurn();
  expect(runs).toBe(1);
});
