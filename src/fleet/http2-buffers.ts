/** From here to there, in powers of two, buffers are kept for the next message. */
const KEPT_MIN = 16 * 1024;
const KEPT_MAX = 1024 * 1024;
/** So many bytes are kept at most. */
const BYTES_MAX = 16 * 1024 * 1024;

/**
 * Buffers into which connections of one thread put messages that arrive in pieces. In a cold start that is hundreds of
 * kilobytes for each proxy: fresh memory for each would cost more, in page faults and collections, than to fill it.
 */
export class MessageBuffers {
  readonly #kept = new Map<number, Buffer[]>();
  #bytes = 0;

  /** At least of this size. Whoever has no more use for it gives it back, or leaves it to the garbage collector. */
  take(size: number): Buffer {
    const whole = wholeSize(size);
    const kept = this.#kept.get(whole)?.pop();
    if (kept === undefined) return Buffer.allocUnsafeSlow(whole);
    this.#bytes -= whole;
    return kept;
  }

  /** Of what `take` gave; not to be touched afterwards. */
  give(buffer: Buffer): void {
    const size = buffer.length;
    if (size > KEPT_MAX || this.#bytes + size > BYTES_MAX) return;
    const kept = this.#kept.get(size);
    if (kept === undefined) this.#kept.set(size, [buffer]);
    else kept.push(buffer);
    this.#bytes += size;
  }
}

function wholeSize(size: number): number {
  if (size > KEPT_MAX) return size;
  let whole = KEPT_MIN;
  while (whole < size) whole *= 2;
  return whole;
}
