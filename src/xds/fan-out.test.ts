import { expect, test } from "vitest";
import { fanOut } from "./fan-out.ts";

test("a change for all streams refreshes each once, in batches between which the thread is free", async () => {
  const turns: (() => void)[] = [];
  const refreshed: number[] = [];
  const changes = fanOut<number>(
    (action) => turns.push(action),
    (item) => refreshed.push(item),
  );
  for (let item = 0; item < 120; item++) changes.mark(item);
  for (let item = 0; item < 120; item++) changes.mark(item);
  changes.forget(7);

  await Promise.resolve();
  expect(refreshed).toHaveLength(50);
  changes.mark(0);
  while (turns.length > 0) turns.shift()?.();

  expect(refreshed.filter((item) => item === 0)).toHaveLength(2);
  expect(refreshed).not.toContain(7);
  expect(new Set(refreshed).size).toBe(119);
});
