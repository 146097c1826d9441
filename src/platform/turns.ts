import type { Clock, Steps } from "../lib/mod.ts";

/** Longest stretch of work between two turns for sockets and timers. */
const SLICE_MS = 8;

/** Resolves after the runtime has had a turn for its sockets and timers: for long work on the main thread, in slices. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/**
 * Milliseconds of processor time of this thread; of the whole process where the runtime knows no better. Deno on Linux tells
 * it in steps of 10: right on the whole, but of a single turn it says little.
 */
export function workedMs(): number {
  const { user, system } = (process.threadCpuUsage ?? process.cpuUsage)();
  return (user + system) / 1000;
}

/** Works for one slice. What came of it, once it is done; else the rest is left in `steps`. */
export function workOneSlice<T>(steps: Steps<T>, clock: Clock): { readonly value: T } | undefined {
  const startedAt = clock.monotonic();
  do {
    const step = steps.next();
    if (step.done === true) return step;
  } while (clock.monotonic() - startedAt < SLICE_MS);
  return undefined;
}

/**
 * Works in slices, the first of them now, with a turn for sockets and timers before each other one. Undefined when it was
 * stopped between two of them.
 */
export async function workInTurns<T>(
  steps: Steps<T>,
  clock: Clock,
  isStopped: () => boolean,
): Promise<{ readonly value: T } | undefined> {
  for (;;) {
    const done = workOneSlice(steps, clock);
    if (done !== undefined) return done;
    await nextTurn();
    if (isStopped()) return undefined;
  }
}
