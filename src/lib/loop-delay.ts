/** How late the event loop gets to its timers: what everything on its thread has to wait for. */
import type { Clock } from "./clock.ts";
import type { Metrics } from "./metrics.ts";

/** Each look wakes the thread, 50 µs of CPU; what lasts longer than this is never missed. */
const SAMPLE_MS = 20;
/** What is told is of the last minute: of so many windows, the oldest of which goes when a new one begins. */
const WINDOW_MS = 10_000;
const WINDOWS = 6;
/** Delays are counted in buckets; each is so much wider than the one before, which is how exact a quantile is. */
const FIRST_BUCKET_MS = 0.5;
const GROWTH = 1.1;
const BUCKETS = 120;
const QUANTILES = [0.5, 0.99, 0.999, 1] as const;

interface Window {
  readonly endsAtMs: number;
  readonly buckets: Uint32Array;
  maxMs: number;
  count: number;
}

/** Delays of the last minute. */
export class LoopDelays {
  readonly #windows: Window[] = [];

  add(delayMs: number, nowMs: number): void {
    let window = this.#windows.at(-1);
    if (window === undefined || nowMs >= window.endsAtMs) {
      window = { endsAtMs: nowMs + WINDOW_MS, buckets: new Uint32Array(BUCKETS), maxMs: 0, count: 0 };
      if (this.#windows.push(window) > WINDOWS) this.#windows.shift();
    }
    const bucket = bucketOf(delayMs);
    window.buckets[bucket] = (window.buckets[bucket] ?? 0) + 1;
    window.maxMs = Math.max(window.maxMs, delayMs);
    window.count++;
  }

  /** The delay that this share of the samples does not exceed, at most a tenth too large; 1 is the longest, exactly. */
  quantileMs(share: number): number {
    let maxMs = 0;
    let left = 0;
    for (const window of this.#windows) {
      maxMs = Math.max(maxMs, window.maxMs);
      left += window.count * share;
    }
    if (share >= 1) return maxMs;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      for (const { buckets } of this.#windows) left -= buckets[bucket] ?? 0;
      if (left <= 0) return Math.min(maxMs, FIRST_BUCKET_MS * GROWTH ** bucket);
    }
    return maxMs;
  }
}

function bucketOf(delayMs: number): number {
  if (delayMs <= FIRST_BUCKET_MS) return 0;
  return Math.min(BUCKETS - 1, Math.ceil(Math.log(delayMs / FIRST_BUCKET_MS) / Math.log(GROWTH)));
}

/** Measures from now on. The returned function stops it. */
export function observeLoopDelay(metrics: Pick<Metrics, "gauge">, clock: Clock): () => void {
  const delays = new LoopDelays();
  const gauge = metrics.gauge(
    "osm_event_loop_delay_seconds",
    "How late timers were in the last minute: those of the main thread, or of the one that is named",
  );
  let samples = 0;
  let dueMs = 0;
  const sample = () => {
    const nowMs = clock.monotonic();
    delays.add(Math.max(0, nowMs - dueMs), nowMs);
    // Often enough for whoever asks after a minute or a second.
    if (++samples % 10 === 0) tell();
    wait();
  };
  const tell = () => {
    for (const share of QUANTILES) gauge.set(delays.quantileMs(share) / 1000, { quantile: String(share) });
  };
  let cancel: () => void = () => undefined;
  const wait = () => {
    dueMs = clock.monotonic() + SAMPLE_MS;
    cancel = clock.after(SAMPLE_MS, sample);
  };
  wait();
  return () => cancel();
}
