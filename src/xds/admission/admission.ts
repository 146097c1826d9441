import type { Clock } from "../../lib/mod.ts";
import type { AddressRecord } from "./address-record.ts";
import { FairQueue } from "./fair-queue.ts";
import { HeldBackQueue } from "./held-back-queue.ts";

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
/** Those who are held back are looked at so often, and whenever a handshake is over. */
const LOOK_MS = 10;

export interface AdmissionOptions<Item> {
  /** Begins the handshake. `done` must be called once for it, however it ends. */
  readonly start: (item: Item, wasHeldBack: boolean) => void;
  /** Where it comes from; empty where that is not known. */
  readonly originOf: (item: Item) => string;
  /** What is known of origins. */
  readonly record: Pick<AddressRecord, "isHeldBack" | "hasProxy">;
  /** One has to wait for the sake of its origin. */
  readonly onHeldBack: () => void;
  /** Runs an action once the sockets have had their turn. */
  readonly later: (action: () => void) => void;
  /** Milliseconds that this thread has worked so far. */
  readonly workedMs: () => number;
  /** How often those that are connected have been told of a change so far. */
  readonly told: () => number;
  readonly clock: Clock;
}

/** Queues of connections that wait for their handshakes, one for each origin. */
export interface Admission<Item> {
  /** Puts one at the end of the queue of its origin. */
  add(item: Item): void;
  /** It is gone, or was begun already. */
  remove(item: Item): void;
  /** A handshake that was begun is over. */
  done(): void;
  /** A client of this origin was worth its handshake: those who wait there are held back no more. */
  proven(origin: string, wasHeldBack: boolean): void;
  readonly waiting: number;
  /** How many of these are held back. */
  readonly heldBack: number;
  readonly underWay: number;
}

/**
 * Lets handshakes begin, few in each turn of the event loop, and only so many be under way that no turn is long even if all
 * of them end in it. Origins take turns, each with its oldest: one of them may come with thousands that never end their
 * handshakes, and in one queue with these nobody else would be let in before giving up. What one costs is measured with all that
 * follows from it, such as what its proxy asks for, but beside what others are told meanwhile: a queue that waited for these
 * to be quiet, or took their work for its own, would stand still as long as changes come. Who comes from where connections came
 * to nothing stands in queues apart, which move slowly and keep nobody else waiting.
 */
export function admission<Item>(options: AdmissionOptions<Item>): Admission<Item> {
  return new AdmissionQueue(options);
}

class AdmissionQueue<Item> implements Admission<Item> {
  readonly #options: AdmissionOptions<Item>;
  readonly #queue = new FairQueue<Item>();
  readonly #heldBack: HeldBackQueue<Item>;
  /** When those that are under way and young were begun. Which of them ends is not known: it passes for the oldest. */
  readonly #young: number[] = [];
  #underWay = 0;
  #isScheduled = false;
  #ended = 0;
  /** What the thread had worked and told others when the queue was last looked at; undefined when nobody has waited since. */
  #lastWorkedMs: number | undefined;
  #lastTold = 0;
  /** What was worked for the last handshakes and deliveries, and how many handshakes these are worth. */
  #costMs = COST_MS * MADE_UP;
  #costOf = MADE_UP;
  #cancelTimer: (() => void) | undefined;
  #cancelHeldBackTimer: (() => void) | undefined;

  constructor(options: AdmissionOptions<Item>) {
    this.#options = options;
    this.#heldBack = new HeldBackQueue(options.clock.monotonic());
  }

  get waiting(): number {
    return this.#queue.size + this.#heldBack.size;
  }

  get heldBack(): number {
    return this.#heldBack.size;
  }

  get underWay(): number {
    return this.#underWay;
  }

  add(item: Item): void {
    const { originOf, record } = this.#options;
    const origin = originOf(item);
    if (record.isHeldBack(origin)) this.#holdBack(item, origin);
    else this.#queue.add(item, origin);
    this.#schedule();
  }

  #holdBack(item: Item, origin: string): void {
    const { record, onHeldBack } = this.#options;
    this.#heldBack.add(item, origin, record.hasProxy(origin));
    onHeldBack();
  }

  /** The next one that is not held back. Thousands may have come before the first of them came to nothing: these are too. */
  #takeOldest(): Item | undefined {
    const { originOf, record } = this.#options;
    for (let item = this.#queue.takeOldest(); item !== undefined; item = this.#queue.takeOldest()) {
      const origin = originOf(item);
      if (!record.isHeldBack(origin)) return item;
      this.#holdBack(item, origin);
      for (const other of this.#queue.takeAllOf(origin)) this.#holdBack(other, origin);
    }
    return undefined;
  }

  remove(item: Item): void {
    this.#queue.remove(item);
    this.#heldBack.remove(item);
  }

  proven(origin: string, wasHeldBack: boolean): void {
    if (wasHeldBack) this.#heldBack.giveBack();
    if (this.#heldBack.size === 0) return;
    for (const item of this.#heldBack.release(origin)) this.#queue.add(item, origin);
    this.#schedule();
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
    const { clock } = this.#options;
    const periodMs = this.#measure();
    const nowMs = clock.monotonic();
    while (this.#young.length > 0 && (this.#young[0] ?? 0) <= nowMs - YOUNG_MS) this.#young.shift();
    const costMs = this.#costMs / this.#costOf;
    const turnMs = Math.max(TURN_MS, Math.min(periodMs * SHARE, TURN_MAX_MS));
    const allowed = Math.max(ALLOWED_MIN, Math.min(ALLOWED_MAX, Math.floor(TOGETHER_MS / costMs)));
    let left = Math.max(1, Math.round(turnMs / costMs));
    while (this.#young.length < allowed && this.#underWay < UNDER_WAY_MAX && left-- > 0) {
      const item = this.#takeOldest();
      if (item === undefined) break;
      this.#begin(item, nowMs, false);
    }
    this.#beginHeldBack(left, nowMs);
    // What the thread does while only those wait who are held back is not for handshakes.
    if (this.#queue.size === 0) this.#lastWorkedMs = undefined;
    else if (left < 0) this.#schedule();
    else this.#lookAgain();
  }

  #begin(item: Item, nowMs: number, wasHeldBack: boolean): void {
    this.#young.push(nowMs);
    this.#underWay++;
    this.#options.start(item, wasHeldBack);
  }

  /** In what others leave of a turn, or one: when a turn is theirs has been decided already. */
  #beginHeldBack(left: number, nowMs: number): void {
    for (let more = Math.max(1, left); more > 0 && this.#underWay < UNDER_WAY_MAX; more--) {
      const item = this.#heldBack.take(nowMs);
      if (item === undefined) break;
      this.#begin(item, nowMs, true);
    }
    if (this.#heldBack.size === 0) return;
    const { clock } = this.#options;
    this.#cancelHeldBackTimer ??= clock.after(Math.max(LOOK_MS, this.#heldBack.waitMs(nowMs)), () => {
      this.#cancelHeldBackTimer = undefined;
      this.#run();
    });
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
