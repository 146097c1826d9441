/** When a pass that failed is tried again. */
import type { Clock } from "../lib/mod.ts";

const FIRST_MS = 1000;
/** What fails again and again does so by a mistake of ours: each try looks at the whole mesh, and may cost others their turn. */
const GROWTH = 4;
const MAX_MS = 300_000;

/** Tries follow each other less and less often, until one has succeeded. Passes for other reasons may come in between. */
export class PassRetries {
  readonly #clock: Clock;
  #dueAt = Number.POSITIVE_INFINITY;
  #waitMs = FIRST_MS;
  #lastError: string | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** On the monotonic clock; never (infinity) while nothing has to be made up for. */
  get dueAt(): number {
    return this.#dueAt;
  }

  get isDue(): boolean {
    return this.#clock.monotonic() >= this.#dueAt;
  }

  /** Everything is made up for if `wasDue`: other passes do not look at what failed. */
  succeeded(wasDue: boolean): void {
    if (!wasDue) return;
    this.#dueAt = Number.POSITIVE_INFINITY;
    this.#waitMs = FIRST_MS;
    this.#lastError = undefined;
  }

  /** Whether it failed otherwise than the last time: then it is worth a line. */
  failed(wasDue: boolean, error: string): boolean {
    if (wasDue) this.#waitMs = Math.min(this.#waitMs * GROWTH, MAX_MS);
    if (wasDue || this.#dueAt === Number.POSITIVE_INFINITY) this.#dueAt = this.#clock.monotonic() + this.#waitMs;
    const isNew = error !== this.#lastError;
    this.#lastError = error;
    return isNew;
  }
}
