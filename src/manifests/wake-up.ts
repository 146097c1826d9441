import type { Clock } from "../lib/mod.ts";
import { nextTurn } from "../platform/mod.ts";

/** Events that belong together and do not arrive in one turn arrive within this time. */
export const GATHER_MS = 2;

/** Runs an action at the earliest of the times that were asked for since it ran last. */
export class WakeUp {
  readonly #clock: Clock;
  readonly #action: () => void;
  #atMs = Number.POSITIVE_INFINITY;
  #ranAtMs = Number.NEGATIVE_INFINITY;
  #cancelTimer: () => void = () => {};
  #isSoon = false;
  #isStopped = false;

  constructor(clock: Clock, action: () => void) {
    this.#clock = clock;
    this.#action = action;
  }

  after(delayMs: number): void {
    const atMs = this.#clock.monotonic() + delayMs;
    if (this.#isStopped || this.#isSoon || atMs >= this.#atMs) return;
    this.#cancelTimer();
    this.#atMs = atMs;
    this.#cancelTimer = this.#clock.after(delayMs, () => this.#run());
  }

  /** As soon as this turn's events are all noted; a file that is written to all the time is one run each {@link GATHER_MS}. */
  soon(): void {
    const restMs = this.#ranAtMs + GATHER_MS - this.#clock.monotonic();
    if (restMs > 0) {
      this.after(restMs);
      return;
    }
    if (this.#isStopped || this.#isSoon) return;
    this.#isSoon = true;
    void nextTurn().then(() => {
      this.#isSoon = false;
      this.#cancelTimer();
      if (!this.#isStopped) this.#run();
    });
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer();
  }

  #run(): void {
    this.#atMs = Number.POSITIVE_INFINITY;
    this.#ranAtMs = this.#clock.monotonic();
    this.#action();
  }
}
