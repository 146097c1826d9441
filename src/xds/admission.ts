import type { Clock } from "../lib/mod.ts";

/** A turn of the event loop in which handshakes end should need no more processor time: when one did, fewer are allowed. */
const TURN_MS = 10;
/** What all that are under way would need if they ended in one turn. */
const TOGETHER_MS = 40;
/** Bounds of how many that is; fewer would wait for their peers more than work. */
const ALLOWED_MIN = 6;
const ALLOWED_MAX = 64;
/** While streams wait to be told of a change: about a quarter of the thread's time. */
const ALLOWED_WHEN_BUSY = 1;
/** What a handshake costs is taken from the last so many, roughly. */
const MEMORY = 16;
/** Peers that take longer are far away or do not answer; others are not kept waiting for them. */
const YOUNG_MS = 250;
/** Handshakes under way in all: bounds what peers that do not answer can hold. */
const UNDER_WAY_MAX = 512;

export interface AdmissionOptions<Item> {
  /** Begins the handshake. `done` must be called once for it, however it ends. */
  readonly start: (item: Item) => void;
  /** Where it comes from; empty where that is not known. */
  readonly originOf: (item: Item) => string;
  /** Runs an action once the sockets have had their turn. */
  readonly later: (action: () => void) => void;
  /** Milliseconds that this thread has worked so far. */
  readonly workedMs: () => number;
  /** Whether this thread owes those that are connected something. */
  readonly isBusy: () => boolean;
  readonly clock: Clock;
}

/** Lines of connections that wait for their handshakes, one for each origin. */
export interface Admission<Item> {
  /** Puts one at the end of the line of its origin. */
  add(item: Item): void;
  /** It is gone, or was begun already. */
  remove(item: Item): void;
  /** A handshake that was begun is over. */
  done(): void;
  readonly waiting: number;
  readonly underWay: number;
}

/**
 * Lets handshakes begin, and only so many be under way that no turn of the event loop is long. Origins take turns, each
 * with its oldest: one of them may come with thousands that never end their handshakes, and in one line with these nobody
 * else would be let in before giving up. More are allowed as long as the turns in which they end are short, so that distant
 * peers do not hold up the line. What one costs is measured with all that follows from it: what its proxy asks for, and what
 * others do meanwhile. Who is connected comes first: a crowd, or somebody who means harm, must not keep changes from them.
 */
export function admission<Item>(options: AdmissionOptions<Item>): Admission<Item> {
  return new Line(options);
}

class Line<Item> implements Admission<Item> {
  readonly #options: AdmissionOptions<Item>;
  /** By origin, in the order of their turns. An origin without anybody who waits is not kept. */
  readonly #lines = new Map<string, Set<Item>>();
  readonly #origins = new Map<Item, string>();
  /** When those that are under way and young were begun. Which of them ends is not known: it passes for the oldest. */
  readonly #young: number[] = [];
  #underWay = 0;
  #allowed = ALLOWED_MIN;
  #isScheduled = false;
  #costMs = TURN_MS / ALLOWED_MIN;
  #ended = 0;
  #workedAtMs: number | undefined;
  #cancelTimer: (() => void) | undefined;

  constructor(options: AdmissionOptions<Item>) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#origins.size;
  }

  get underWay(): number {
    return this.#underWay;
  }

  add(item: Item): void {
    const origin = this.#options.originOf(item);
    this.#origins.set(item, origin);
    const line = this.#lines.get(origin);
    if (line === undefined) this.#lines.set(origin, new Set([item]));
    else line.add(item);
    this.#schedule();
  }

  remove(item: Item): void {
    const origin = this.#origins.get(item);
    if (origin === undefined) return;
    this.#origins.delete(item);
    const line = this.#lines.get(origin);
    line?.delete(item);
    if (line?.size === 0) this.#lines.delete(origin);
  }

  /** The oldest of the origin whose turn it is; the origin's next one waits for all the others'. */
  #takeNext(): Item | undefined {
    for (const [origin, line] of this.#lines) {
      this.#lines.delete(origin);
      for (const item of line) {
        line.delete(item);
        this.#origins.delete(item);
        if (line.size > 0) this.#lines.set(origin, line);
        return item;
      }
    }
    return undefined;
  }

  done(): void {
    this.#underWay--;
    this.#young.shift();
    this.#measure();
    if (this.waiting > 0) this.#schedule();
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
    const { clock, isBusy, start } = this.#options;
    const allowed = isBusy() ? ALLOWED_WHEN_BUSY : Math.floor(this.#allowed);
    const nowMs = clock.monotonic();
    while (this.#young.length > 0 && (this.#young[0] ?? 0) <= nowMs - YOUNG_MS) this.#young.shift();
    while (this.#young.length < allowed && this.#underWay < UNDER_WAY_MAX) {
      const item = this.#takeNext();
      if (item === undefined) return;
      this.#young.push(nowMs);
      this.#underWay++;
      start(item);
    }
    if (this.waiting > 0) this.#lookAgain();
  }

  /** Somebody waits: one that is under way will end, or be young no longer. */
  #lookAgain(): void {
    this.#cancelTimer ??= this.#options.clock.after(YOUNG_MS, () => {
      this.#cancelTimer = undefined;
      this.#run();
    });
  }

  /** What this thread does while somebody waits is laid to the handshakes that end meanwhile. */
  #measure(): void {
    if (++this.#ended > 1) return;
    const { workedMs, later } = this.#options;
    const fromMs = workedMs();
    later(() => {
      const nowMs = workedMs();
      if (this.#workedAtMs !== undefined) {
        const costMs = (nowMs - this.#workedAtMs) / this.#ended;
        this.#costMs += (costMs - this.#costMs) * Math.min(1, this.#ended / MEMORY);
      }
      this.#workedAtMs = this.waiting > 0 ? nowMs : undefined;
      this.#ended = 0;
      // The first was done with most of its work when this turn's was first looked at.
      this.#adjust(nowMs - fromMs + this.#costMs);
    });
  }

  #adjust(turnMs: number): void {
    if (turnMs > TURN_MS) this.#allowed *= Math.max(0.5, TURN_MS / turnMs);
    // Growing while nobody waits would let the next crowd in at once.
    else if (this.waiting > 0) this.#allowed += 1;
    const most = Math.min(ALLOWED_MAX, TOGETHER_MS / Math.max(this.#costMs, 0.01));
    this.#allowed = Math.max(ALLOWED_MIN, Math.min(most, this.#allowed));
  }
}
