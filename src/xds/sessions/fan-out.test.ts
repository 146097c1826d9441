import { setImmediate } from "node:timers";
import { expect, test } from "vitest";
import { fanOut } from "./fan-out.ts";

/** A fan-out over numbers on a clock of its own, each of which takes `msEach`; `turns` wait for sockets to have had theirs. */
function counted(msEach: number) {
  const turns: (() => void)[] = [];
  const refreshed: number[] = [];
  let now = 0;
  const seenAhead: number[] = [];
  const items: { isDirty: boolean; readonly number: number }[] = [];
  const itemOf = (number: number) => (items[number] ??= { isDirty: false, number });
  const { mark, forget } = fanOut<ReturnType<typeof itemOf>>({
    later: (action) => turns.push(action),
    onSlice: (some) => void seenAhead.push(...some.map(({ number }) => number)),
    refresh: ({ number }) => {
      refreshed.push(number);
      now += msEach;
    },
    monotonic: () => now,
    workedMs: () => now,
  });
  const changes = {
    mark: (number: number) => mark(itemOf(number)),
    forget: (number: number) => forget(itemOf(number)),
  };
  const microtasks = () => new Promise<void>((resolve) => setImmediate(resolve));
  const finish = async () => {
    await microtasks();
    for (let turn = turns.shift(); turn !== undefined; turn = turns.shift()) {
      turn();
      await microtasks();
    }
  };
  /** How many are refreshed in the next turn, before which others have the thread for so long. */
  const nextAfter = async (elseMs: number) => {
    const before = refreshed.length;
    now += elseMs;
    turns.shift()?.();
    await microtasks();
    return refreshed.length - before;
  };
  return { changes, refreshed, seenAhead, turns, microtasks, finish, nextAfter };
}

test("a change for all streams refreshes each once, in turns between which the thread is free", async () => {
  const { changes, refreshed, turns, microtasks, finish } = counted(0.125);
  for (let item = 0; item < 250; item++) changes.mark(item);
  for (let item = 0; item < 250; item++) changes.mark(item);
  changes.forget(7);

  await microtasks();
  expect(refreshed).toHaveLength(96);
  expect(turns).toHaveLength(1);
  changes.mark(0);
  await finish();

  expect(refreshed.filter((item) => item === 0)).toHaveLength(2);
  expect(refreshed).not.toContain(7);
  expect(new Set(refreshed).size).toBe(249);
});

test("the first streams are written to before the last are brought up to date", async () => {
  const { changes, refreshed, finish } = counted(0.001);
  for (let item = 0; item < 100; item++) changes.mark(item);
  let refreshedBefore = 0;
  // As a session has its socket written to: once what runs now is done.
  queueMicrotask(() => queueMicrotask(() => (refreshedBefore = refreshed.length)));
  await finish();
  expect(refreshedBefore).toBeGreaterThan(0);
  expect(refreshedBefore).toBeLessThan(20);
  expect(refreshed).toHaveLength(100);
});

test("streams that take long to serve do not hold up the thread for a whole turn of them", async () => {
  const { changes, refreshed, microtasks, finish } = counted(5);
  for (let item = 0; item < 64; item++) changes.mark(item);
  await microtasks();
  expect(refreshed.length).toBeLessThanOrEqual(4);
  await finish();
  expect(refreshed).toHaveLength(64);
});

test("when reading answers and letting proxies in take long, what is told between them takes less, and never nothing", async () => {
  const { changes, microtasks, nextAfter } = counted(1);
  for (let item = 0; item < 200; item++) changes.mark(item);
  await microtasks();
  expect(await nextAfter(15)).toBe(12);
  expect(await nextAfter(23)).toBe(7);
  expect(await nextAfter(80)).toBe(4);
  expect(await nextAfter(5)).toBe(12);
});

test("streams that are marked when all others have been told do not make the turn longer", async () => {
  const { changes, refreshed, microtasks } = counted(1);
  for (let few = 0; few < 5; few++) {
    for (let item = 0; item < 4; item++) changes.mark(item);
    await microtasks();
  }
  expect(refreshed).toHaveLength(12);
});

test("a stream that is gone before its turn takes nobody's place, and marked anew it is told once", async () => {
  const { changes, refreshed, finish } = counted(0.001);
  for (let item = 0; item < 30; item++) changes.mark(item);
  for (let item = 0; item < 30; item += 2) changes.forget(item);
  changes.mark(4);
  await finish();
  expect(refreshed).toEqual([1, 3, 4, 5, ...[7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29]]);
});

test("streams are looked at some ahead of their turn, each before it is told", async () => {
  const { changes, refreshed, seenAhead, turns, microtasks, finish } = counted(5);
  for (let item = 0; item < 20; item++) changes.mark(item);
  await microtasks();
  expect(turns).toHaveLength(1);
  expect(seenAhead).toHaveLength(8);
  expect(refreshed.length).toBeLessThan(8);
  await finish();
  for (const item of refreshed) expect(seenAhead).toContain(item);
});
