import { OriginLines } from "./origin-lines.ts";

/** Handshakes a second for all addresses that are held back together: at 1 to 2 ms each, 2 % of the thread. */
const PER_SECOND = 10;
/** So many may begin at once after a while without any. */
const BURST = 5;
/**
 * What a handshake that was worth it gives back: what it took and as much again. Proxies that are all mended at once are so
 * let in twice as many at a time with each answer, whoever is not cannot have more.
 */
const GIVEN_BACK = 2;
const ALLOWED_MAX = 64;

/** Lines of those who come from addresses whose connections came to nothing. Times are those of a clock that never goes back, in ms. */
export class HeldBackLines<Item> {
  /** From addresses with a proxy that is served, and from others: they are served in turns. */
  readonly #besideProxies = new OriginLines<Item>();
  readonly #others = new OriginLines<Item>();
  #isTurnOfOthers = false;
  #allowed = BURST;
  #atMs: number;

  constructor(nowMs: number) {
    this.#atMs = nowMs;
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
    if (this.#allowedAt(nowMs) < 1) return undefined;
    const [first, second] = this.#isTurnOfOthers
      ? [this.#others, this.#besideProxies]
      : [this.#besideProxies, this.#others];
    // Where more come than are let in, who has waited longest has most likely given up, or waits only to be in the way.
    const item = first.takeNewest() ?? second.takeNewest();
    if (item === undefined) return undefined;
    this.#isTurnOfOthers = !this.#isTurnOfOthers;
    this.#allowed--;
    return item;
  }

  /** How long until somebody may be taken. */
  waitMs(nowMs: number): number {
    return Math.max(0, Math.ceil(((1 - this.#allowedAt(nowMs)) * 1000) / PER_SECOND));
  }

  /** Takes out all who wait from there, oldest first. */
  release(origin: string): readonly Item[] {
    return [...this.#besideProxies.takeAllOf(origin), ...this.#others.takeAllOf(origin)];
  }

  /** A client that was taken from here was worth it. */
  giveBack(): void {
    this.#allowed = Math.min(ALLOWED_MAX, this.#allowed + GIVEN_BACK);
  }

  #allowedAt(nowMs: number): number {
    const grown = this.#allowed + ((nowMs - this.#atMs) * PER_SECOND) / 1000;
    this.#allowed = Math.max(this.#allowed, Math.min(BURST, grown));
    this.#atMs = nowMs;
    return this.#allowed;
  }
}
