import { expect, test } from "vitest";
import { type ToldTogether, tellTogether } from "./told-together.ts";

/** Streams that count how often they were looked at. */
function streams(count: number) {
  return Array.from({ length: count }, () => ({
    looks: 0,
    together: undefined as ToldTogether | undefined,
    broke(error: unknown): void {
      throw error;
    },
    approach() {
      return ++this.looks;
    },
  }));
}

const looksOf = (some: readonly { readonly looks: number }[]) => some.map(({ looks }) => looks);

test("what streams need is read before they are told, and once more when the first of them answers", () => {
  const told = streams(3);
  tellTogether(told);
  expect(looksOf(told)).toEqual([1, 1, 1]);
  told[1]?.together?.answered();
  expect(looksOf(told)).toEqual([2, 2, 2]);
  told[0]?.together?.answered();
  expect(looksOf(told)).toEqual([2, 2, 2]);
});

test("a stream that is over is not looked at again, nor kept by those it was told with", () => {
  const told = streams(2);
  tellTogether(told);
  told[0]?.together?.dissolve();
  told[1]?.together?.answered();
  expect(looksOf(told)).toEqual([1, 1]);
});

test("one stream alone, as most changes concern few, costs nothing more", () => {
  const [alone] = streams(1) as [ReturnType<typeof streams>[number]];
  tellTogether([alone]);
  expect([alone.looks, alone.together]).toEqual([0, undefined]);
});
