import type { Clock } from "../lib/mod.ts";

/** How much work the handshakes under way should be at most: all of them may go on in one turn of the event loop. */
const TURN_MS = 10;
/** Bounds of how many that is; fewer would wait for their peers more than work. */
const ALLOWED_MIN = 6;
const ALLOWED_MAX = 64;
/** What a handshake costs is measured over so many. */
const MEASURED = 16;
/** Peers that take longer are far away or do not answer; others are not kept waiting for them. */
const YOUNG_MS = 250;
/** Handshakes under way in all: bounds what peers that do not answer can hold. */
const UNDER_WAY_MAX = 512;

export interface AdmissionOptions<Item> {
  /** Begins the handshake. `done` must be called once for it, however it ends. */
  readonly start: (item: Item) => void;
  /** Runs an action once the sockets have had their turn. */
  readonly later: (action: () => void) => void;
  /** Milliseconds that this thread has worked so far. */
  readonly workedMs: () => number;
  readonly clock: Clock;
}

/** A line of connections that wait for their handshake. */
export interface Admission<Item> {
  /** Puts one at the end of the line. */
  add(item: Item): void;
  /** It is gone, or was begun already. */
  remove(item: Item): void;
  /** A handshake that was begun is over. */
  done(): void;
  readonly waiting: number;
  readonly underWay: number;
}

/**
 * Lets handshakes begin oldest first, and only so many be under way that all of them together are little work. What one
 * costs is measured while some wait, with all that follows from it: what its proxy asks for, and what others do
 * meanwhile.
 */
export function admission<Item>(options: AdmissionOptions<Item>): Admission<Item> {
  return new Line(options);
}

class Line<Item> implements Admission<Item> {
  readonly #options: AdmissionOptions<Item>;
  readonly #line = new Set<Item>();
  /** When those that are under way and young were begun. Which of them ends is not known: it passes for the oldest. */
  readonly #young: number[] = [];
  #underWay = 0;
  #allowed = ALLOWED_MIN;
  #isScheduled = false;
  #endedSince = 0;
  #workedAtMs: number | undefined;
  #cancelTimer: (() => void) | undefined;

  constructor(options: AdmissionOptions<Item>) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#line.size;
  }

  get underWay(): number {
    return this.#underWay;
  }

  add(item: Item): void {
    this.#line.add(item);
    this.#schedule();
  }

  remove(item: Item): void {
    this.#line.delete(item);
  }

  done(): void {
    this.#underWay--;
    this.#young.shift();
    this.#measure();
    if (this.#line.size > 0) this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#options.later(() => {
      this.#isScheduled = false;
      this.#run();
    });
  }

  #run(): void {
    const { clock, start } = this.#options;
    const nowMs = clock.monotonic();
    while (this.#young.length > 0 && (this.#young[0] ?? 0) <= nowMs - YOUNG_MS) this.#young.shift();
    for (const item of this.#line) {
      if (this.#young.length >= this.#allowed || this.#underWay >= UNDER_WAY_MAX) break;
      this.#line.delete(item);
      this.#young.push(nowMs);
      this.#underWay++;
      start(item);
    }
    if (this.#line.size > 0) this.#lookAgain();
  }

  /** Somebody waits: one that is under way will end, or be young no longer. */
  #lookAgain(): void {
    this.#cancelTimer ??= this.#options.clock.after(YOUNG_MS, () => {
      this.#cancelTimer = undefined;
      this.#run();
    });
  }

  #measure(): void {
    if (this.#line.size === 0) {
      this.#workedAtMs = undefined;
      return;
    }
    if (this.#workedAtMs !== undefined && ++this.#endedSince < MEASURED) return;
    const workedMs = this.#options.workedMs();
    if (this.#workedAtMs !== undefined) {
      const costMs = (workedMs - this.#workedAtMs) / MEASURED;
      this.#allowed = Math.round(Math.min(ALLOWED_MAX, Math.max(ALLOWED_MIN, TURN_MS / Math.max(costMs, 0.01))));
    }
    this.#workedAtMs = workedMs;
    this.#endedSince = 0;
  }
}
