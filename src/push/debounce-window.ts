/**
 * How long the next push waits after the last one: nothing after a small one or a few large ones, and in proportion to
 * the streams touched after more of them, so that a storm of changes costs a bounded share of a core however many proxies
 * there are.
 */

/** Streams that may be touched at any rate. */
const SMALL_FAN_OUT = 200;
/** Time on the main thread for one delivery and its acknowledgement, until it has been measured: mTLS over real sockets. */
const DELIVERY_MS = 0.03;
/** What is measured counts within these bounds: a fast machine, and one that others use as well. */
const DELIVERY_MIN_MS = 0.005;
const DELIVERY_MAX_MS = 0.2;
/** Weight of the newest push in what a delivery costs. */
const NEWEST_SHARE = 0.3;
/** Share of a core that pushing may take in a storm. */
const CPU_SHARE = 0.5;
/** Time on the main thread that pushes may take beyond their share before one has to wait: those of a person who edits. */
const BURST_MS = 200;
const WINDOW_MAX_MS = 1000;

export interface DebounceWindow {
  /** So many streams are told now that they have another table. */
  told(streams: number, now: number): void;
  /** One of them has taken it over. */
  taken(now: number): void;
  /** A push that touched `streams` began `now`: milliseconds from then until the next may start. */
  msAfter(streams: number, now: number): number;
  /** How long the streams that were told and have not taken their tables yet will take for it. */
  backlogMs(): number;
}

/** Creates a {@link DebounceWindow}. A delivery costs what the last large pushes took from the first stream told to the last served. */
export function debounceWindow(): DebounceWindow {
  let deliveryMs = DELIVERY_MS;
  /** What pushes may take now, and when that was so; below 0 they have taken more. */
  let creditMs = BURST_MS;
  let creditAt = Number.NEGATIVE_INFINITY;
  let startedAt = 0;
  let lastAt = 0;
  let taken = 0;
  let left = 0;
  const measure = () => {
    const elapsed = lastAt - startedAt;
    if (taken <= SMALL_FAN_OUT || elapsed <= 0) return;
    const sample = Math.min(Math.max(elapsed / taken, DELIVERY_MIN_MS), DELIVERY_MAX_MS);
    deliveryMs += (sample - deliveryMs) * NEWEST_SHARE;
  };
  return {
    told(streams, now) {
      if (left > 0) measure();
      startedAt = now;
      taken = 0;
      left = streams;
    },
    taken(now) {
      if (left === 0) return;
      left -= 1;
      taken += 1;
      lastAt = now;
      if (left === 0) measure();
    },
    msAfter(streams, now) {
      if (streams <= SMALL_FAN_OUT) return 0;
      creditMs = Math.min(creditMs + (now - creditAt) * CPU_SHARE, BURST_MS) - streams * deliveryMs;
      creditMs = Math.max(creditMs, -WINDOW_MAX_MS * CPU_SHARE);
      creditAt = now;
      return Math.max(0, -creditMs / CPU_SHARE);
    },
    backlogMs: () => left * deliveryMs,
  };
}
