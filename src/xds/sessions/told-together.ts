/** A stream, as far as it is told of changes along with others. */
export interface ToldStream {
  /** Reads what telling it, and taking in its answer, reads; makes some number of it, and changes nothing. */
  approach(): number;
  /** That went wrong. */
  broke(error: unknown): void;
  together: ToldTogether | undefined;
}

/** What streams of one slice have in common until one of them answers. */
export interface ToldTogether {
  /** One of them has answered: so will the others soon. */
  answered(): void;
  /** One of them is over: nothing of it stays with the others. */
  dissolve(): void;
}

const NOBODY: readonly ToldStream[] = [];

class Together implements ToldTogether {
  /** What the reads came to. It means nothing, but that no compiler may leave them out. */
  seen = 0;
  #streams: readonly ToldStream[];

  constructor(streams: readonly ToldStream[]) {
    this.#streams = streams;
    for (let n = 0; n < streams.length; n++) (streams[n] as ToldStream).together = this;
    this.#approach();
  }

  answered(): void {
    this.#approach();
    this.dissolve();
  }

  dissolve(): void {
    this.#streams = NOBODY;
  }

  #approach(): void {
    const streams = this.#streams;
    let seen = 0;
    let n = 0;
    // One for all: those behind the one that fails are told all the same, only not read ahead.
    try {
      for (; n < streams.length; n++) seen |= (streams[n] as ToldStream).approach();
    } catch (error) {
      (streams[n] as ToldStream).broke(error);
    }
    this.seen = seen;
  }
}

/**
 * To be called right before the first of `streams` is told of a change, and the others right after it; they will answer about
 * as closely. There are thousands, and what is kept of each lies where the processor's caches do not have it: read for
 * several at once before it is used, it comes in for all at the same time, where each use would wait for its own, one object
 * after the other.
 */
export function tellTogether(streams: readonly ToldStream[]): void {
  if (streams.length > 1) new Together(streams);
}
