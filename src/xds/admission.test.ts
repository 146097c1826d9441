import { expect, test } from "vitest";
import { manualClock } from "../lib/mod.ts";
import { admission } from "./admission.ts";

function line(costMs: number, originOf = (_item: number) => "") {
  const clock = manualClock();
  const begun: number[] = [];
  const waiting: (() => void)[] = [];
  let workedMs = 0;
  let told = 0;
  const admitted = admission<number>({
    start: (item) => begun.push(item),
    originOf,
    later: (action) => void waiting.push(action),
    workedMs: () => workedMs,
    told: () => told,
    clock,
  });
  const turn = () => {
    for (const action of waiting.splice(0)) action();
  };
  const finish = (count: number) => {
    for (let n = 0; n < count; n++) {
      workedMs += costMs;
      admitted.done();
    }
  };
  /** So many streams are told of a change, at a fiftieth of the cost each. */
  const tell = (count: number) => {
    workedMs += (count * costMs) / 50;
    told += count;
  };
  /** The thread does something else. */
  const work = (ms: number) => {
    workedMs += ms;
  };
  return { admitted, begun, clock, turn, finish, tell, work };
}

test("a crowd is let in oldest first, a few in each turn", () => {
  const { admitted, begun, turn, finish } = line(1.5);
  for (let item = 0; item < 100; item++) admitted.add(item);
  admitted.remove(1);
  turn();
  expect(begun).toEqual([0, 2, 3]);
  turn();
  expect(begun).toEqual([0, 2, 3, 4, 5, 6]);
  finish(2);
  turn();
  expect(begun).toEqual([0, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect([admitted.waiting, admitted.underWay]).toEqual([90, 7]);
});

test.each([
  ["cheap ones by the dozen", 0.25, 64],
  ["dear ones by the half dozen", 20, 6],
])("%s: as many as are little work together", (_what, costMs, expected) => {
  const { admitted, turn, finish } = line(costMs);
  for (let item = 0; item < 5000; item++) admitted.add(item);
  for (let round = 0; round < 300; round++) {
    turn();
    finish(1);
  }
  turn();
  for (let round = 0; round < 100; round++) turn();
  expect(admitted.underWay).toBe(expected);
});

test("while changes go to everybody, who comes gets as much of each turn as those who are connected, and no more", () => {
  const { admitted, begun, turn, finish, tell } = line(1);
  for (let item = 0; item < 5000; item++) admitted.add(item);
  const perTurn: number[] = [];
  for (let round = 0; round < 200; round++) {
    const before = begun.length;
    turn();
    perTurn.push(begun.length - before);
    finish(admitted.underWay);
    // 12 ms of each turn.
    tell(600);
  }
  const mean = perTurn.slice(100).reduce((sum, count) => sum + count) / 100;
  expect(mean).toBeGreaterThan(11);
  expect(mean).toBeLessThan(13);
});

test("when thousands are told in a turn that others hold up, it is not made longer still", () => {
  const { admitted, begun, turn, tell } = line(1);
  for (let item = 0; item < 5000; item++) admitted.add(item);
  turn();
  const before = begun.length;
  tell(5000);
  turn();
  expect(begun.length - before).toBeLessThanOrEqual(12);
});

test("distant peers, whose handshakes end one by one, are led through together", () => {
  const { admitted, turn, finish } = line(2);
  for (let item = 0; item < 5000; item++) admitted.add(item);
  for (let round = 0; round < 200; round++) {
    turn();
    finish(1);
  }
  turn();
  expect(admitted.underWay).toBe(20);
});

test("peers that do not answer keep nobody out for long, but have a bound", () => {
  const { admitted, begun, clock, turn } = line(1);
  for (let item = 0; item < 10_000; item++) admitted.add(item);
  for (let round = 0; round < 100; round++) turn();
  expect(begun).toHaveLength(26);
  clock.advance(250);
  for (let round = 0; round < 100; round++) turn();
  expect(begun).toHaveLength(52);
  for (let round = 0; round < 100; round++) {
    clock.advance(2_000);
    for (let n = 0; n < 10; n++) turn();
  }
  expect(begun).toHaveLength(512);
});

test("what the thread did while peers were silent is not held against those who come after them", () => {
  const { admitted, begun, clock, turn, finish, work } = line(1);
  for (let item = 0; item < 5000; item++) admitted.add(item);
  turn();
  for (let round = 0; round < 100; round++) {
    work(100);
    clock.advance(250);
    turn();
  }
  for (let round = 0; round < 20; round++) {
    turn();
    finish(5);
  }
  const before = begun.length;
  for (let round = 0; round < 10; round++) {
    turn();
    finish(5);
  }
  expect(begun.length - before).toBeGreaterThan(20);
});

test("a proxy is let in while somebody else floods the line with connections that end no handshake", () => {
  const { admitted, begun, turn } = line(1, (item) => (item < 5000 ? "flood" : `proxy-${item}`));
  for (let item = 0; item < 5003; item++) admitted.add(item);
  admitted.remove(5001);
  turn();
  turn();
  expect(begun).toEqual([0, 5000, 5002, 1, 2, 3]);
  expect(admitted.waiting).toBe(4996);
});
