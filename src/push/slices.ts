/** Long work in slices, between which streams get their turn. */
import type { Clock } from "../lib/mod.ts";
import { nextTurn } from "../platform/mod.ts";

/** Longest stretch of work between two turns for the streams. */
export const SLICE_MS = 10;

/** Calls `work` for each item; after each slice the thread is free for a turn. */
export async function inSlices<Item>(clock: Clock, items: Iterable<Item>, work: (item: Item) => void): Promise<void> {
  let startedAt = clock.monotonic();
  for (const item of items) {
    work(item);
    if (clock.monotonic() - startedAt < SLICE_MS) continue;
    await nextTurn();
    startedAt = clock.monotonic();
  }
}
