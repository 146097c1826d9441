import { expect, test } from "vitest";
import { fanOut } from "./fan-out.ts";

test("a change for all streams refreshes each once, in batches between which the thread is free", async () => {
  const turns: (() => void)[] = [];
  const refreshed: number[] = [];
  const changes = fanOut<number>({
    later: (action) => turns.push(action),
    refresh: (item) => refreshed.push(item),
    monotonic: () => 0,
  });
  for (let item = 0; item < 150; item++) changes.mark(item);
  for (let item = 0; item < 150; item++) changes.mark(item);
  changes.forget(7);

  await Promise.resolve();
  expect(refreshed).toHaveLength(64);
  changes.mark(0);
  while (turns.length > 0) turns.shift()?.();

  expect(refreshed.filter((item) => item === 0)).toHaveLength(2);
  expect(refreshed).not.toContain(7);
  expect(new Set(refreshed).size).toBe(149);
});

test("streams that take long to serve do not hold up the thread for a whole batch of them", async () => {
  const turns: (() => void)[] = [];
  let now = 0;
  let refreshed = 0;
  const changes = fanOut<number>({
    later: (action) => turns.push(action),
    refresh: () => {
      refreshed += 1;
      now += 1;
    },
    monotonic: () => now,
  });
  for (let item = 0; item < 64; item++) changes.mark(item);
  await Promise.resolve();
  expect(refreshed).toBeLessThanOrEqual(8);
  while (turns.length > 0) turns.shift()?.();
  expect(refreshed).toBe(64);
});
