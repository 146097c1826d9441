import { nextTurn } from "../platform/mod.ts";

/**
 * Ended in one turn. What it costs to end a stream or a connection comes at the turn's end: that it is short is seen by no clock
 * meanwhile. Others of the process, as the server that tells whether it lives, have their turn too.
 */
const ENDED_IN_ONE_TURN = 64;

/** Has `end` called for each of `items`, some in each turn; those that are gone meanwhile need not be met. */
export async function endInTurns<Item>(items: Iterable<Item>, end: (item: Item) => void): Promise<void> {
  let ended = 0;
  for (const item of items) {
    end(item);
    if (++ended % ENDED_IN_ONE_TURN === 0) await nextTurn();
  }
}
