import type { Clock } from "../lib/mod.ts";

/** What the handshakes that begin in one turn of the event loop may need of the thread's time when little else is done. */
const TURN_MS = 5;
/** When more is done it is so much of what the turn before took: as much for those who come as for those who are connected. */
const SHARE = 0.5;
/** Whatever else is done: turns are to stay short. */
const TURN_MAX_MS = 12;
/** What all that are under way would need if they ended in one turn. */
const TOGETHER_MS = 40;
/** Bounds of how many that is; fewer would wait for their peers more than work. */
const ALLOWED_MIN = 6;
const ALLOWED_MAX = 64;
/** What a handshake costs: until that is known, and from the last so many, roughly. */
const COST_MS = 1.5;
const MEMORY = 64;
/** How much of the last so many is made up at the beginning. */
const MADE_UP = 16;
/** Telling a stream of a change, with its acknowledgement, takes about so much of what a handshake does. */
const TOLD_SHARE = 1 / 50;
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
  /** How often those that are connected have been told of a change so far. */
  readonly told: () => number;
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
 * Lets handshakes begin, few in each turn of the event loop, and only so many be under way that no turn is long even if all
 * of them end in it. Origins take turns, each with its oldest: one of them may come with thousands that never end their
 * handshakes, and in one line with these nobody else would be let in before giving up. What one costs is measured with all that
 * follows from it, such as what its proxy asks for, but beside what others are told meanwhile: a line that waited for these
 * to be quiet, or took their work for its own, would stand still as long as changes come.
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
  #isScheduled = false;
  #ended = 0;
  /** What the thread had worked and told others when the line was last looked at; undefined when nobody has waited since. */
  #lastWorkedMs: number | undefined;
  #lastTold = 0;
  /** What was worked for the last handshakes and deliveries, and how many handshakes these are worth. */
  #costMs = COST_MS * MADE_UP;
  #costOf = MADE_UP;
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
    this.#ended++;
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
    const { clock, start } = this.#options;
    const periodMs = this.#measure();
    const nowMs = clock.monotonic();
    while (this.#young.length > 0 && (this.#young[0] ?? 0) <= nowMs - YOUNG_MS) this.#young.shift();
    const costMs = this.#costMs / this.#costOf;
    const turnMs = Math.max(TURN_MS, Math.min(periodMs * SHARE, TURN_MAX_MS));
    const allowed = Math.max(ALLOWED_MIN, Math.min(ALLOWED_MAX, Math.floor(TOGETHER_MS / costMs)));
    let left = Math.max(1, Math.round(turnMs / costMs));
    while (this.#young.length < allowed && this.#underWay < UNDER_WAY_MAX && left-- > 0) {
      const item = this.#takeNext();
      if (item === undefined) break;
      this.#young.push(nowMs);
      this.#underWay++;
      start(item);
    }
    if (this.waiting === 0) this.#lastWorkedMs = undefined;
    else if (left < 0) this.#schedule();
    else this.#lookAgain();
  }

  /** Somebody waits: one that is under way will end, or be young no longer. */
  #lookAgain(): void {
    this.#cancelTimer ??= this.#options.clock.after(YOUNG_MS, () => {
      this.#cancelTimer = undefined;
      this.#run();
    });
  }

  /**
   * What this thread does while somebody waits is laid to the handshakes that end meanwhile, and to those who are told of
   * changes. Returns what it has worked since the last time.
   */
  #measure(): number {
    const workedMs = this.#options.workedMs();
    const told = this.#options.told();
    const periodMs = workedMs - (this.#lastWorkedMs ?? workedMs);
    if (this.#lastWorkedMs !== undefined) {
      const count = this.#ended + (told - this.#lastTold) * TOLD_SHARE;
      const kept = Math.max(0, 1 - count / MEMORY);
      this.#costOf = this.#costOf * kept + count;
      // While peers do not answer none ends, and what others cost is not theirs: it must not take long to forget.
      this.#costMs = Math.min(this.#costMs * kept + periodMs, this.#costOf * TURN_MAX_MS);
    }
    this.#ended = 0;
    this.#lastWorkedMs = workedMs;
    this.#lastTold = told;
    return periodMs;
  }
}
