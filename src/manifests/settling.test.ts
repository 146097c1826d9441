import { describe, expect, test } from "vitest";
import { manualClock } from "../lib/mod.ts";
import type { Fingerprint } from "./folder-scan.ts";
import { createSettling, SETTLE_MS } from "./settling.ts";

const START_MS = 1_000_000;

/** A file as a writer leaves it: content and inode changed together, now. */
function written(nowMs: number, size: number, inode = 1): Fingerprint {
  return { inode, size, modifiedMs: nowMs, changedMs: nowMs };
}

describe("when a file is read", () => {
  test("one that is written in place waits until size and time have stood still", () => {
    const clock = manualClock(START_MS);
    const settling = createSettling(clock);
    const known = written(START_MS - 60_000, 10);
    let seen = written(clock.now(), 0);
    expect(settling.isSettled("a", seen, known)).toBe(false);
    for (const size of [5, 9, 12]) {
      clock.advance(SETTLE_MS - 1);
      seen = written(clock.now(), size);
      expect(settling.isSettled("a", seen, known)).toBe(false);
    }
    expect([...settling.unsettled()]).toEqual(["a"]);
    clock.advance(SETTLE_MS);
    expect(settling.isSettled("a", seen, known)).toBe(true);
    expect([...settling.unsettled()]).toEqual([]);
  });

  test("one that is created in place waits as well", () => {
    const clock = manualClock(START_MS);
    const settling = createSettling(clock);
    expect(settling.isSettled("a", written(clock.now(), 0, 7), undefined)).toBe(false);
  });

  test("one that was renamed into place is read at once", () => {
    const settling = createSettling(manualClock(START_MS));
    const renamed = { ...written(START_MS - 3, 10, 8), changedMs: START_MS };
    expect(settling.isSettled("a", renamed, written(START_MS - 60_000, 10, 7))).toBe(true);
    expect(settling.isSettled("new", renamed, undefined)).toBe(true);
  });

  test("one that has rested for long, as at the start, is read at once", () => {
    const settling = createSettling(manualClock(START_MS));
    expect(settling.isSettled("a", written(START_MS - SETTLE_MS, 10), undefined)).toBe(true);
  });

  test("one whose time lies in the future waits and is read all the same", () => {
    const clock = manualClock(START_MS);
    const settling = createSettling(clock);
    const future = written(START_MS + 86_400_000, 10);
    expect(settling.isSettled("a", future, undefined)).toBe(false);
    clock.advance(SETTLE_MS);
    expect(settling.isSettled("a", future, undefined)).toBe(true);
  });
});
