/**
 * Numbers for what is open: as small as can be, because one that was given back is given out again. What is kept of thousands
 * of things may stand side by side in arrays under them.
 */
export class Slots {
  readonly #free: number[] = [];
  #next = 0;

  /** A number that nobody else has. */
  take(): number {
    return this.#free.pop() ?? this.#next++;
  }

  /** The owner of `slot` is gone: to be called once for each that was taken. */
  giveBack(slot: number): void {
    this.#free.push(slot);
  }
}
