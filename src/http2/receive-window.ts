/**
 * Counts what a peer has sent on a stream or connection and says when to announce room again. Bytes are done with as soon
 * as they are read, and a window is four frames at least, so that it is never used up: nobody can overrun it.
 */
export class ReceiveWindow {
  readonly #announceAt: number;
  #taken = 0;

  constructor(bytes: number) {
    this.#announceAt = bytes / 2;
  }

  /** Takes note of what came; what to announce now: 0 until half of the window is used, so that small messages cost none. */
  take(bytes: number): number {
    this.#taken += bytes;
    if (this.#taken < this.#announceAt) return 0;
    const increment = this.#taken;
    this.#taken = 0;
    return increment;
  }
}
