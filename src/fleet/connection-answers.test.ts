import { expect, test } from "vitest";
import { Answers } from "./connection-answers.ts";

test("a proxy answers once its neighbours' sockets are read, and waits for 32 of them at most", () => {
  const turns: (() => void)[] = [];
  const answers = new Answers((action) => void turns.push(action));
  const answered: number[] = [];
  const read = (id: number) => answers.add({ answer: () => void answered.push(id) });
  const ids = (count: number) => Array.from({ length: count }, (_, id) => id);

  for (const id of ids(3)) read(id);
  expect([answered, turns.length]).toEqual([[], 1]);
  turns.shift()?.();
  expect(answered).toEqual(ids(3));

  for (const id of ids(33)) read(3 + id);
  expect(answered).toEqual(ids(35));
  for (const turn of turns.splice(0)) turn();
  expect(answered).toEqual(ids(36));
});
