import { expect, test } from "vitest";
import { manualClock } from "../lib/mod.ts";
import { admission } from "./admission.ts";

function line(costMs: number, originOf = (_item: number) => "") {
  const clock = manualClock();
  const begun: number[] = [];
  const waiting: (() => void)[] = [];
  let workedMs = 0;
  let isBusy = false;
  const admitted = admission<number>({
    start: (item) => begun.push(item),
    originOf,
    later: (action) => void waiting.push(action),
    workedMs: () => workedMs,
    isBusy: () => isBusy,
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
  const setBusy = (busy: boolean) => {
    isBusy = busy;
  };
  return { admitted, begun, clock, turn, finish, setBusy };
}

test("a crowd is let in oldest first, a few at a time", () => {
  const { admitted, begun, turn, finish } = line(1);
  for (let item = 0; item < 100; item++) admitted.add(item);
  admitted.remove(1);
  turn();
  expect(begun).toEqual([0, 2, 3, 4, 5, 6]);
  turn();
  expect(begun).toHaveLength(6);
  finish(2);
  turn();
  expect(begun).toEqual([0, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect([admitted.waiting, admitted.underWay]).toEqual([90, 7]);
});

test.each([
  ["cheap ones by the dozen", 0.25, 40],
  ["dear ones by the half dozen", 20, 6],
])("%s: as many as are little work together", (_what, costMs, expected) => {
  const { admitted, turn, finish } = line(costMs);
  for (let item = 0; item < 5000; item++) admitted.add(item);
  let most = 0;
  for (let round = 0; round < 100; round++) {
    turn();
    most = Math.max(most, admitted.underWay);
    finish(admitted.underWay);
  }
  expect(most).toBeGreaterThanOrEqual(expected);
  expect(most).toBeLessThanOrEqual(expected + 1);
});

test("while streams wait for a change a crowd is let in one by one, and no longer", () => {
  const { admitted, begun, turn, finish, setBusy } = line(1);
  setBusy(true);
  for (let item = 0; item < 100; item++) admitted.add(item);
  turn();
  expect(begun).toHaveLength(1);
  finish(1);
  turn();
  expect(begun).toHaveLength(2);
  setBusy(false);
  finish(1);
  turn();
  expect(admitted.underWay).toBeGreaterThanOrEqual(6);
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
  turn();
  expect(begun).toHaveLength(6);
  clock.advance(250);
  expect(begun).toHaveLength(12);
  clock.advance(200_000);
  expect(begun).toHaveLength(512);
});

test("a proxy is let in while somebody else floods the line with connections that end no handshake", () => {
  const { admitted, begun, clock, turn, setBusy } = line(1, (item) => (item < 5000 ? "flood" : `proxy-${item}`));
  setBusy(true);
  for (let item = 0; item < 5003; item++) admitted.add(item);
  admitted.remove(5001);
  turn();
  clock.advance(1000);
  expect(begun.slice(0, 5)).toEqual([0, 5000, 5002, 1, 2]);
  expect(admitted.waiting).toBe(4997);
});
