import type { Clock } from "../lib/mod.ts";

/** Waits `delayMs`, or shorter when `signal` aborts. */
export function pause(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const finish = () => {
      cancel();
      signal?.removeEventListener("abort", finish);
      resolve();
    };
    const cancel = clock.after(delayMs, finish);
    if (signal?.aborted === true) finish();
    else signal?.addEventListener("abort", finish);
  });
}
