import { TYPE_URLS, type TypeUrl } from "../xds/resource.ts";

const TYPES = Object.values(TYPE_URLS);
/** Sent and acknowledged. */
const NUMBERS = 2 * TYPES.length;
const NEVER = -1;

/**
 * For each stream and type the generation that was sent last, and the one acknowledged last. Numbers of all streams side by
 * side: a change for all goes through them in order, which costs memory nothing, where an object of each stream would be far
 * away from the one before.
 */
export class TypeGenerations {
  #numbers = new Float64Array(0);

  /** Nothing was sent on the stream of this slot yet. */
  begin(slot: number): void {
    const from = slot * NUMBERS;
    if (from + NUMBERS > this.#numbers.length) {
      const grown = new Float64Array(Math.max(from + NUMBERS, 2 * this.#numbers.length));
      grown.set(this.#numbers);
      this.#numbers = grown;
    }
    this.#numbers.fill(NEVER, from, from + NUMBERS);
  }

  /** A type that the server does not speak is answered, but not followed. */
  sent(slot: number, typeUrl: TypeUrl, generation: number): void {
    const position = TYPES.indexOf(typeUrl);
    if (position >= 0) this.#numbers[slot * NUMBERS + 2 * position] = generation;
  }

  /** As {@link sent}. */
  acknowledged(slot: number, typeUrl: TypeUrl, generation: number): void {
    const position = TYPES.indexOf(typeUrl);
    if (position >= 0) this.#numbers[slot * NUMBERS + 2 * position + 1] = generation;
  }

  /** The types of which something was sent on a stream; what was never acknowledged has generation 0. */
  *of(slot: number): Iterable<readonly [typeUrl: TypeUrl, sent: number, acknowledged: number]> {
    for (const [position, typeUrl] of TYPES.entries()) {
      const at = slot * NUMBERS + 2 * position;
      const [sent = NEVER, acknowledged = NEVER] = this.#numbers.subarray(at, at + 2);
      if (sent !== NEVER) yield [typeUrl, sent, Math.max(acknowledged, 0)];
    }
  }
}
