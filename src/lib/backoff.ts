/** Exponential delays with full jitter. `next()` gives milliseconds; `reset()` starts over after a success. */
export interface Backoff {
  next(): number;
  reset(): void;
}

/** Delay n lies in (base·2ⁿ/2, base·2ⁿ], capped at `maxMs`. `random` gives numbers in [0, 1). */
export function backoff(options: {
  readonly baseMs: number;
  readonly maxMs: number;
  readonly random: () => number;
}): Backoff {
  let attempt = 0;
  return {
    next() {
      const ceilingMs = Math.min(options.maxMs, options.baseMs * 2 ** attempt);
      attempt = Math.min(attempt + 1, 30);
      return ceilingMs - (options.random() * ceilingMs) / 2;
    },
    reset() {
      attempt = 0;
    },
  };
}
