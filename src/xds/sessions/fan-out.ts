import { type Dirtyable, DirtyQueue } from "./dirty-queue.ts";

/** Sessions brought up to date before what they write is given to their sockets: few, so that it is out early and their memory is still near. */
const SLICE = 8;
/** How long sockets are only written to before they are read again: long enough to tell a few hundred proxies in one go. */
const TURN_MS = 12;
/** What a turn of the event loop may work in all before telling gets less of it than that, and what it gets in any case. */
const LOOP_TURN_MS = 30;
const TURN_MIN_MS = 4;
/** What was worked since a turn that is longer ago was not worked in one go. */
const RECENT_MS = 100;

export interface FanOutOptions<Item> {
  /** Runs an action once sockets have had their turn; a timer would cost every turn a millisecond. */
  readonly later: (action: () => void) => void;
  readonly refresh: (item: Item) => void;
  /** Hears which items are about to be refreshed together; some may have been forgotten. */
  readonly onSlice: (items: readonly Item[]) => void;
  /** Milliseconds from any fixed start. */
  readonly monotonic: () => number;
  /** Milliseconds that this thread has worked so far. */
  readonly workedMs: () => number;
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
 * the last is told holds up all that come after it: so a turn is as long as the thread may be held. The more else is done
 * between two turns, as reading thousands of answers or letting in proxies that come back, the shorter they are.
 */
export function fanOut<Item extends Dirtyable>(options: FanOutOptions<Item>): FanOut<Item> {
  const { later, refresh, onSlice, monotonic, workedMs } = options;
  const marked = new DirtyQueue<Item>();
  let refreshed = 0;
  /** When the turn under way is over; undefined between two. */
  let endsAt: number | undefined;
  let isTaking = false;
  let beganAt = Number.NEGATIVE_INFINITY;
  let workedBeforeMs = 0;
  let turnMs = TURN_MS;

  const begin = () => {
    const now = monotonic();
    const worked = workedMs();
    const elseMs = now - beganAt < RECENT_MS ? worked - workedBeforeMs - turnMs : 0;
    turnMs = Math.max(TURN_MIN_MS, Math.min(LOOP_TURN_MS - elseMs, TURN_MS));
    beganAt = now;
    workedBeforeMs = worked;
    endsAt = now + turnMs;
    later(next);
  };
  const next = () => {
    endsAt = undefined;
    if (marked.isEmpty) return;
    begin();
    take();
  };
  const take = () => {
    isTaking = false;
    onSlice(marked.ahead(SLICE));
    for (let count = 0; !marked.isEmpty; count++) {
      if (count > 0 && (endsAt === undefined || monotonic() >= endsAt)) return;
      if (count === SLICE) {
        takeSoon();
        return;
      }
      const item = marked.take();
      if (item === undefined) return;
      refreshed++;
      refresh(item);
    }
  };
  const takeSoon = () => {
    isTaking = true;
    queueMicrotask(take);
  };
  return {
    mark(item) {
      marked.add(item);
      if (isTaking) return;
      if (endsAt === undefined) begin();
      else if (monotonic() >= endsAt) return;
      takeSoon();
    },
    forget: (item) => void marked.forget(item),
    refreshed: () => refreshed,
  };
}
