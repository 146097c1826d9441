import type { Clock } from "../lib/mod.ts";

/** So many events within this time may be more than the system keeps in mind. */
export const BURST = 1000;
const BURST_MS = 250;

/** Knows when the system tells of more than it may keep in mind: of whatever, its memory is full of that as well. */
export class EventBurst {
  readonly #clock: Clock;
  readonly #onFull: () => void;
  #sinceMs = Number.NEGATIVE_INFINITY;
  #events = 0;

  /** `onFull` is called once in each burst. */
  constructor(clock: Clock, onFull: () => void) {
    this.#clock = clock;
    this.#onFull = onFull;
  }

  note(): void {
    const nowMs = this.#clock.monotonic();
    if (nowMs - this.#sinceMs > BURST_MS) {
      this.#sinceMs = nowMs;
      this.#events = 0;
    }
    this.#events += 1;
    if (this.#events === BURST) this.#onFull();
  }

  /** Whether the event that was noted last is one of too many to be asked after one by one. */
  get isFull(): boolean {
    return this.#events >= BURST;
  }
}
