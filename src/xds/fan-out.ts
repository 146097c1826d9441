/** Sessions brought up to date before others get their turn on the thread. */
const BATCH = 50;

export interface FanOut<Item> {
  /** Something changed for this item. Marking it twice before its turn is marking it once. */
  mark(item: Item): void;
  forget(item: Item): void;
}

/**
 * Calls `refresh` for each marked item, in order and in batches, so that a change for all does not stop the rest.
 * `later` runs an action once sockets have had their turn; a timer would cost every batch a millisecond.
 */
export function fanOut<Item>(later: (action: () => void) => void, refresh: (item: Item) => void): FanOut<Item> {
  const marked = new Set<Item>();
  let isScheduled = false;
  const run = () => {
    let count = 0;
    for (const item of marked) {
      if (++count > BATCH) {
        later(run);
        return;
      }
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
  };
}
