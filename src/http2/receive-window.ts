/** How much a peer may send on a stream or connection, and when to tell it that there is room again. */
export class ReceiveWindow {
  readonly #size: number;
  #left: number;
  #taken = 0;

  constructor(size: number) {
    this.#size = size;
    this.#left = size;
  }

  /** Counts what came. False: the peer may not have sent it. */
  take(bytes: number): boolean {
    this.#left -= bytes;
    this.#taken += bytes;
    return this.#left >= 0;
  }

  /** What to announce now; 0 until half of the window is used, so that small messages cause no frames. */
  replenish(): number {
    if (this.#taken * 2 < this.#size) return 0;
    const increment = this.#taken;
    this.#left += increment;
    this.#taken = 0;
    return increment;
  }
}
