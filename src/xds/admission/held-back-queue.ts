import { FairQueue } from "./fair-queue.ts";

/**
 * Handshakes a second for all addresses that are held back: at 1 to 2 ms each so few that not even one change of a hundred meets
 * one, and the slowest of a hundred is no slower.
 */
const PER_SECOND = 4;
/** Besides, for addresses with a proxy that is served: who attacks from elsewhere has nothing of them. */
const PER_SECOND_BESIDE_PROXIES = 10;
/** So many may begin at once after a while without any. */
const BURST = 5;
/**
 * What a handshake that was worth it gives back: what it took and as much again. Proxies that are all mended at once are so
 * let in twice as many at a time with each answer, whoever is not cannot have more.
 */
const GIVEN_BACK = 2;
const ALLOWED_MAX = 64;

/** Queues of those who come from addresses whose connections came to nothing. Times are those of a clock that never goes back, in ms. */
export class HeldBackQueue<Item> {
  /** From addresses with a proxy that is served, which have some of their own, and from others: what is for all, they take in turns. */
  readonly #besideProxies = new FairQueue<Item>();
  readonly #others = new FairQueue<Item>();
  #isTurnOfOthers = false;
  readonly #forAll: Allowance;
  readonly #forBesideProxies: Allowance;

  constructor(nowMs: number) {
    this.#forAll = new Allowance(PER_SECOND, nowMs);
    this.#forBesideProxies = new Allowance(PER_SECOND_BESIDE_PROXIES, nowMs);
  }

  get size(): number {
    return this.#besideProxies.size + this.#others.size;
  }

  add(item: Item, origin: string, isBesideProxy: boolean): void {
    (isBesideProxy ? this.#besideProxies : this.#others).add(item, origin);
  }

  remove(item: Item): void {
    this.#besideProxies.remove(item);
    this.#others.remove(item);
  }

  /** The next one, if it is time for one. */
  take(nowMs: number): Item | undefined {
    if (this.#besideProxies.size > 0 && this.#forBesideProxies.take(nowMs)) return this.#besideProxies.takeNewest();
    if (this.size === 0 || !this.#forAll.take(nowMs)) return undefined;
    const [first, second] = this.#isTurnOfOthers
      ? [this.#others, this.#besideProxies]
      : [this.#besideProxies, this.#others];
    // Where more come than are let in, who has waited longest has most likely given up, or waits only to be in the way.
    const item = first.takeNewest() ?? second.takeNewest();
    this.#isTurnOfOthers = !this.#isTurnOfOthers;
    return item;
  }

  /** How long until somebody may be taken. */
  waitMs(nowMs: number): number {
    const forAll = this.#forAll.waitMs(nowMs);
    return this.#besideProxies.size === 0 ? forAll : Math.min(forAll, this.#forBesideProxies.waitMs(nowMs));
  }

  /** Takes out all who wait from there, oldest first. */
  release(origin: string): readonly Item[] {
    return [...this.#besideProxies.takeAllOf(origin), ...this.#others.takeAllOf(origin)];
  }

  /** A client that was taken from here was worth it. */
  giveBack(): void {
    this.#forAll.give();
  }
}

/** How many may begin: it grows with time, to a few, and with what is given back. */
class Allowance {
  readonly #perSecond: number;
  #left = BURST;
  #atMs: number;

  constructor(perSecond: number, nowMs: number) {
    this.#perSecond = perSecond;
    this.#atMs = nowMs;
  }

  /** Whether one may begin, which is one less then. */
  take(nowMs: number): boolean {
    if (this.#at(nowMs) < 1) return false;
    this.#left--;
    return true;
  }

  waitMs(nowMs: number): number {
    return Math.max(0, Math.ceil(((1 - this.#at(nowMs)) * 1000) / this.#perSecond));
  }

  give(): void {
    this.#left = Math.min(ALLOWED_MAX, this.#left + GIVEN_BACK);
  }

  #at(nowMs: number): number {
    const grown = this.#left + ((nowMs - this.#atMs) * this.#perSecond) / 1000;
    this.#left = Math.max(this.#left, Math.min(BURST, grown));
    this.#atMs = nowMs;
    return this.#left;
  }
}
