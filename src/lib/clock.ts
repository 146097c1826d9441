/** Time as a dependency: the only way code may ask for the time or wait. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Milliseconds from a fixed but unknown start; never goes back. */
  monotonic(): number;
  /** Calls `action` once after `delayMs`; the returned function cancels it. */
  after(delayMs: number, action: () => void): () => void;
}

/** The real clock. Timers do not keep the process alive. */
export function systemClock(): Clock {
  return {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    after(delayMs, action) {
      const timer = setTimeout(action, delayMs);
      timer.unref();
      return () => clearTimeout(timer);
    },
  };
}

/** A clock that moves only when told to, for tests. */
export interface ManualClock extends Clock {
  /** Moves time forward by `ms`, running everything that falls due, in order. */
  advance(ms: number): void;
}

/** Creates a {@link ManualClock} that starts at `startMs`. */
export function manualClock(startMs = 0): ManualClock {
  let nowMs = startMs;
  let pending: { readonly dueMs: number; readonly action: () => void }[] = [];
  return {
    now: () => nowMs,
    monotonic: () => nowMs,
    after(delayMs, action) {
      const entry = { dueMs: nowMs + Math.max(0, delayMs), action };
      pending.push(entry);
      return () => {
        pending = pending.filter((other) => other !== entry);
      };
    },
    advance(ms) {
      const endMs = nowMs + ms;
      for (;;) {
        const due = pending.filter((entry) => entry.dueMs <= endMs).sort((a, b) => a.dueMs - b.dueMs)[0];
        if (due === undefined) break;
        pending = pending.filter((entry) => entry !== due);
        nowMs = due.dueMs;
        due.action();
      }
      nowMs = endMs;
    },
  };
}
