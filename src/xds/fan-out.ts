/** Sessions brought up to date before others get their turn on the thread, and for how long at most. */
const BATCH = 64;
const BATCH_MS = 4;

export interface FanOutOptions<Item> {
  /** Runs an action once sockets have had their turn; a timer would cost every batch a millisecond. */
  readonly later: (action: () => void) => void;
  readonly refresh: (item: Item) => void;
  /** Milliseconds from any fixed start. */
  readonly monotonic: () => number;
}

export interface FanOut<Item> {
  /** Something changed for this item. Marking it twice before its turn is marking it once. */
  mark(item: Item): void;
  forget(item: Item): void;
  /** Some wait for their turn. */
  isBusy(): boolean;
}

/**
 * Calls `refresh` for each marked item, in the order of the marks and in batches, so that a change for all does not stop
 * the rest: what proxies say is taken in between two batches.
 */
export function fanOut<Item>({ later, refresh, monotonic }: FanOutOptions<Item>): FanOut<Item> {
  const marked = new Set<Item>();
  let isScheduled = false;
  const run = () => {
    const endsAt = monotonic() + BATCH_MS;
    let count = 0;
    for (const item of marked) {
      if (count === BATCH || (count > 0 && monotonic() >= endsAt)) {
        later(run);
        return;
      }
      count++;
      marked.delete(item);
      refresh(item);
    }
    isScheduled = false;
  };
  return {
    mark(item) {
      marked.add(item);
      if (isScheduled) return;
      isScheduled = true;
      queueMicrotask(run);
    },
    forget: (item) => void marked.delete(item),
    isBusy: () => marked.size > 0,
  };
}
