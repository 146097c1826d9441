/** A stream, as far as it is told of changes along with others. */
export interface PrefetchedStream {
  /** Reads what telling it, and taking in its answer, reads; makes some number of it, and changes nothing. */
  prefetch(): number;
  prefetchedWith: PrefetchGroup | undefined;
}

const NOBODY: readonly PrefetchedStream[] = [];

/** Streams that are told in one go, until one of them answers. */
export class PrefetchGroup {
  /** What the reads came to. It means nothing, but that no compiler may leave them out. */
  seen = 0;
  #streams: readonly PrefetchedStream[];

  constructor(streams: readonly PrefetchedStream[]) {
    this.#streams = streams;
    for (let n = 0; n < streams.length; n++) (streams[n] as PrefetchedStream).prefetchedWith = this;
    this.#prefetch();
  }

  /** One of them has answered: so will the others soon. */
  answered(): void {
    this.#prefetch();
    this.dissolve();
  }

  /** One of them is over: nothing of it stays with the others. */
  dissolve(): void {
    this.#streams = NOBODY;
  }

  #prefetch(): void {
    const streams = this.#streams;
    let seen = 0;
    for (let n = 0; n < streams.length; n++) seen |= (streams[n] as PrefetchedStream).prefetch();
    this.seen = seen;
  }
}

/**
 * To be called right before the first of `streams` is told of a change, and the others right after it; they will answer about
 * as closely. There are thousands, and what is kept of each lies where the processor's caches do not have it: read for
 * several at once before it is used, it comes in for all at the same time, where each use would wait for its own, one object
 * after the other.
 */
export function prefetchTogether(streams: readonly PrefetchedStream[]): void {
  if (streams.length > 1) new PrefetchGroup(streams);
}
