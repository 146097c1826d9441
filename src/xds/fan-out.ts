/** Sessions brought up to date before what they write is given to their sockets: few, so that it is out early and their memory is still near. */
const SLICE = 8;
/** How long sockets are only written to before they are read again: long enough to tell a few hundred proxies in one go. */
const TURN_MS = 12;

export interface FanOutOptions<Item> {
  /** Runs an action once sockets have had their turn; a timer would cost every turn a millisecond. */
  readonly later: (action: () => void) => void;
  readonly refresh: (item: Item) => void;
  /** Milliseconds from any fixed start. */
  readonly monotonic: () => number;
}

export interface FanOut<Item> {
  /** Something changed for this item. Marking it twice before its turn is marking it once. */
  mark(item: Item): void;
  forget(item: Item): void;
  /** How often `refresh` was called so far. */
  refreshed(): number;
}

/**
 * Calls `refresh` for each marked item, in the order of the marks, and in turns, so that a change for all does not stop the
 * rest: what proxies say is taken in between two turns. Who is told early answers early, but an answer that is read before
 * the last is told holds up all that come after it: so a turn is as long as the thread may be held.
 */
export function fanOut<Item>({ later, refresh, monotonic }: FanOutOptions<Item>): FanOut<Item> {
  const marked = new Set<Item>();
  let isScheduled = false;
  let refreshed = 0;
  let endsAt = 0;
  const turn = () => {
    endsAt = monotonic() + TURN_MS;
    slice();
  };
  const slice = () => {
    let count = 0;
    for (const item of marked) {
      const isOver = count > 0 && monotonic() >= endsAt;
      if (isOver || count === SLICE) {
        if (isOver) later(turn);
        else queueMicrotask(slice);
        return;
      }
      count++;
      marked.delete(item);
      refreshed++;
      refresh(item);
    }
    isScheduled = false;
  };
  return {
    mark(item) {
      marked.add(item);
      if (isScheduled) return;
      isScheduled = true;
      queueMicrotask(turn);
    },
    forget: (item) => void marked.delete(item),
    refreshed: () => refreshed,
  };
}
