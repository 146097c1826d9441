import type { Clock } from "../../lib/mod.ts";

/** A cold Envoy may ask for each of thousands of clusters by itself. */
const BURST = 10_000;
const PER_SECOND = 64;
/** How long a stream whose budget is spent is not read. */
const REST_MS = 250;

/**
 * How many requests one stream may still make: a burst, then so many a second. Every response pays for the request that
 * acknowledges it, so that a proxy is never slowed down for answering.
 */
export class RequestBudget {
  readonly #clock: Clock;
  /** How long a spent stream rests. */
  readonly restMs = REST_MS;
  #left = BURST;
  #filledAtMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#filledAtMs = clock.monotonic();
  }

  received(): void {
    this.#left -= 1;
  }

  sent(): void {
    if (this.#left < BURST) this.#left += 1;
  }

  /** Looks at the clock only when the budget seems spent. */
  get isSpent(): boolean {
    if (this.#left > 0) return false;
    const nowMs = this.#clock.monotonic();
    const grown = Math.floor(((nowMs - this.#filledAtMs) / 1000) * PER_SECOND);
    this.#filledAtMs = nowMs;
    this.#left = Math.min(BURST, this.#left + grown);
    return this.#left <= 0;
  }
}
