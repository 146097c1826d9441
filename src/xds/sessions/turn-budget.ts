/** What streams may take of one turn of the thread before the rest of them waits for the next. */
const TURN_MS = 10;

export interface TurnBudgetOptions<Item> {
  /** Runs an action in the next turn, once sockets have had theirs. */
  readonly later: (action: () => void) => void;
  /** Does what was put off. */
  readonly resume: (item: Item) => void;
  /** Milliseconds from any fixed start. */
  readonly monotonic: () => number;
}

/**
 * Keeps turns short: a turn reads from all sockets that have something, and what hundreds of proxies ask for in one turn
 * may take a second to answer.
 */
export interface TurnBudget<Item> {
  /** Whether this turn has done enough. */
  isSpent(): boolean;
  /** Has `resume` called for the item in a later turn, in the order in which items were put off. Only when the turn is spent. */
  defer(item: Item): void;
  forget(item: Item): void;
}

export function turnBudget<Item>({ later, resume, monotonic }: TurnBudgetOptions<Item>): TurnBudget<Item> {
  const late = new Set<Item>();
  let endsAt: number | undefined;
  const begin = () => {
    endsAt = monotonic() + TURN_MS;
    later(next);
  };
  const next = () => {
    endsAt = undefined;
    if (late.size === 0) return;
    begin();
    for (const item of late) {
      late.delete(item);
      resume(item);
      if (endsAt === undefined || monotonic() >= endsAt) return;
    }
  };
  return {
    isSpent() {
      if (endsAt === undefined) begin();
      return endsAt !== undefined && monotonic() >= endsAt;
    },
    defer: (item) => void late.add(item),
    forget: (item) => void late.delete(item),
  };
}
