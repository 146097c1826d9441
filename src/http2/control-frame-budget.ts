import { FRAME_PAYLOAD_BYTES_MAX } from "./frames.ts";

/** How many frames a peer may send that move no data. */
export interface ControlFrameRate {
  /** At once. */
  readonly burst: number;
  /** In the long run. */
  readonly perSecond: number;
}

/** What frames cost, in units of a `ControlFrameRate`: a stream costs what makes one, not what carries it. */
export const COST = { FRAME: 1, STREAM: 5, RESET: 5 } as const;
/** What a frame of data allows its peer in return: window updates, a ping that measures the round trip. */
const CREDIT_OF_DATA = 4;
/** A part of a message earns nothing below this: windows of a few bytes would pay for themselves. */
const EARNING_BYTES_MIN = 1024;

/**
 * Bounds the frames that cost us more than they cost their sender: settings, pings, resets, empty data, and the streams
 * that are opened to be reset. A peer earns more by being sent data, for it answers that with window updates.
 */
export class ControlFrameBudget {
  readonly #rate: ControlFrameRate;
  readonly #now: () => number;
  #left: number;
  #filledAt: number;

  constructor(rate: ControlFrameRate, now: () => number) {
    this.#rate = rate;
    this.#now = now;
    this.#left = rate.burst;
    this.#filledAt = now();
  }

  /** False: the peer has sent too much. Asks for the time only when what was left is used up. */
  spend(cost: number): boolean {
    this.#left -= cost;
    return this.#left >= 0 || this.#refill();
  }

  /** A message went out whole. */
  earnByMessage(bytes: number): void {
    this.#left = Math.min(this.#rate.burst, this.#left + CREDIT_OF_DATA * Math.ceil(bytes / FRAME_PAYLOAD_BYTES_MAX));
  }

  /** A part of one went out, as long as the windows allowed. */
  earnByPart(bytes: number): void {
    if (bytes >= EARNING_BYTES_MIN) this.earnByMessage(bytes);
  }

  #refill(): boolean {
    const now = this.#now();
    const earned = ((now - this.#filledAt) / 1000) * this.#rate.perSecond;
    this.#filledAt = now;
    this.#left = Math.min(this.#rate.burst, this.#left + earned);
    return this.#left >= 0;
  }
}
