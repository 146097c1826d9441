import { expect, test } from "vitest";
import { type PrefetchGroup, prefetchTogether } from "./prefetch.ts";

/** Streams that count how often they were looked at. */
function streams(count: number) {
  return Array.from({ length: count }, () => ({
    looks: 0,
    prefetchedWith: undefined as PrefetchGroup | undefined,
    prefetch() {
      return ++this.looks;
    },
  }));
}

const looksOf = (some: readonly { readonly looks: number }[]) => some.map(({ looks }) => looks);

test("what streams need is read before they are told, and once more when the first of them answers", () => {
  const told = streams(3);
  prefetchTogether(told);
  expect(looksOf(told)).toEqual([1, 1, 1]);
  told[1]?.prefetchedWith?.answered();
  expect(looksOf(told)).toEqual([2, 2, 2]);
  told[0]?.prefetchedWith?.answered();
  expect(looksOf(told)).toEqual([2, 2, 2]);
});

test("a stream that is over is not looked at again, nor kept by those it was told with", () => {
  const told = streams(2);
  prefetchTogether(told);
  told[0]?.prefetchedWith?.dissolve();
  told[1]?.prefetchedWith?.answered();
  expect(looksOf(told)).toEqual([1, 1]);
});

test("one stream alone, as most changes concern few, costs nothing more", () => {
  const [alone] = streams(1) as [ReturnType<typeof streams>[number]];
  prefetchTogether([alone]);
  expect([alone.looks, alone.prefetchedWith]).toEqual([0, undefined]);
});
