/** Tells streams that they have another table: those of a class one after the other, the first of them at once. */
import type { Clock } from "../lib/mod.ts";
import { nextTurn } from "../platform/mod.ts";
import { SLICE_MS } from "./slices.ts";
import type { Subscription, Workload } from "./workload.ts";

/** Workload classes with subscriptions that do not have the class's table yet. */
export interface UpdatedTables {
  /** In the order in which their streams are to be told. */
  readonly workloads: readonly Workload[];
  /** How many subscriptions they are. */
  readonly streams: number;
  /** Why some class could not be given a table. */
  readonly failure: Error | undefined;
}

/**
 * So many are told before those that were told already have a part of the turn: going through thousands of streams takes
 * milliseconds, for which the first of them need not wait.
 */
const TOLD_AT_A_TIME = 32;

/**
 * Gives the subscriptions their class's table; `told` is called for each before its stream hears of it. A stream that cannot
 * be told lacks the table as before; resolves with the first such failure once all others have theirs.
 */
export async function tellStreams(
  clock: Clock,
  workloads: Iterable<Workload>,
  told: (subscription: Subscription) => void,
): Promise<Error | undefined> {
  let startedAt = clock.monotonic();
  let count = 0;
  let failure: Error | undefined;
  for (const { table, subscriptions } of workloads) {
    if (table === undefined) continue;
    // Who closes meanwhile is not met any more, and who comes has the table.
    for (const subscription of subscriptions) {
      if (subscription.table === table) continue;
      const before = subscription.table;
      subscription.table = table;
      subscription.isTold = true;
      try {
        told(subscription);
        subscription.onChange();
      } catch (error) {
        subscription.table = before;
        subscription.isTold = false;
        failure ??= notTold(subscription, error);
      }
      if (++count % TOLD_AT_A_TIME !== 0) continue;
      if (clock.monotonic() - startedAt < SLICE_MS) {
        await Promise.resolve();
        continue;
      }
      await nextTurn();
      startedAt = clock.monotonic();
    }
  }
  return failure;
}

function notTold({ peer: { namespace, pod } }: Subscription, cause: unknown): Error {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new Error(`cannot tell a stream of ${namespace}/${pod} that it has another table: ${reason}`, { cause });
}
