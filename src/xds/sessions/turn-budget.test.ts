import { expect, test } from "vitest";
import { manualClock } from "../../lib/mod.ts";
import { turnBudget } from "./turn-budget.ts";

/** Streams that take `costMs` each, in turns that end when the test says so. */
function streams(costMs: number) {
  const clock = manualClock();
  const answered: number[] = [];
  let waiting: (() => void)[] = [];
  const answer = (stream: number) => {
    clock.advance(costMs);
    answered.push(stream);
  };
  const turn = turnBudget<number>({
    later: (action) => void waiting.push(action),
    resume: answer,
    monotonic: () => clock.monotonic(),
  });
  return {
    answered,
    turn,
    ask: (stream: number) => (turn.isSpent() ? turn.defer(stream) : answer(stream)),
    endTurn() {
      const due = waiting;
      waiting = [];
      for (const action of due) action();
      return clock.monotonic();
    },
    isIdle: () => waiting.length === 0,
  };
}

test("hundreds of proxies that ask at once are answered in their order, and no turn takes much longer than its share", () => {
  const { answered, ask, endTurn, isIdle } = streams(4);
  for (let stream = 0; stream < 100; stream++) ask(stream);
  let before = 12;
  expect(answered).toEqual([0, 1, 2]);
  while (!isIdle()) {
    const now = endTurn();
    expect(now - before).toBeLessThanOrEqual(12);
    before = now;
  }
  expect(answered).toEqual(Array.from({ length: 100 }, (_, stream) => stream));
});

test("who asks while others wait does not overtake them, and who is gone is not answered", () => {
  const { answered, ask, endTurn, turn } = streams(10);
  for (const stream of [1, 2, 3]) ask(stream);
  endTurn();
  ask(4);
  turn.forget(3);
  endTurn();
  expect(answered).toEqual([1, 2, 4]);
});
