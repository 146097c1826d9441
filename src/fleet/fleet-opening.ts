import type { Clock } from "../lib/mod.ts";
import type { FleetCounts, Opened } from "./fleet-api.ts";
import type { Seat } from "./fleet-seat.ts";

/** Handshakes that one process has under way: beyond this the machine only makes all of them wait. */
const HANDSHAKES_MAX = 500;
const PACE_MS = 5;

/** Opens connections: so many a second, and so many at a time. */
export class OpeningQueue {
  readonly #clock: Clock;
  #waiting: Seat[] = [];
  #underWay = 0;
  #perSecond = Number.POSITIVE_INFINITY;
  #allowance = 0;
  #paceStart = 0;
  #isPacing = false;
  #isOpening = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What joins others that wait comes at their pace, unless it says one. */
  add(seats: readonly Seat[], perSecond?: number): void {
    if (perSecond !== undefined || this.#waiting.length === 0) {
      this.#perSecond = perSecond ?? Number.POSITIVE_INFINITY;
      this.#allowance = 0;
      this.#paceStart = this.#clock.monotonic();
    }
    this.#waiting = [...this.#waiting, ...seats];
    this.#next();
  }

  /** A handshake is over. */
  settled(): void {
    this.#underWay--;
    if (this.#waiting.length > 0) this.#next();
  }

  #next(): void {
    // One that cannot even begin is settled at once, from within this loop.
    if (this.#isPacing || this.#isOpening) return;
    this.#isOpening = true;
    this.#earn();
    while (this.#waiting.length > 0 && this.#underWay < HANDSHAKES_MAX && this.#allowance >= 1) {
      this.#allowance--;
      const seat = this.#waiting.shift();
      if (seat === undefined || seat.isConnected || !seat.isWanted) continue;
      this.#underWay++;
      seat.open();
    }
    this.#isOpening = false;
    if (this.#waiting.length === 0 || this.#underWay >= HANDSHAKES_MAX) return;
    this.#isPacing = true;
    this.#clock.after(PACE_MS, () => {
      this.#isPacing = false;
      this.#next();
    });
  }

  #earn(): void {
    const now = this.#clock.monotonic();
    if (this.#perSecond === Number.POSITIVE_INFINITY) this.#allowance = Number.POSITIVE_INFINITY;
    else this.#allowance += ((now - this.#paceStart) * this.#perSecond) / 1000;
    this.#paceStart = now;
  }
}

/** Waits until certain proxies have all that they asked for. */
export class WarmWait {
  readonly #startMs: number;
  readonly #before: FleetCounts;
  readonly #positions: ReadonlyMap<number, number>;
  readonly #perProxyMs: Float64Array;
  readonly #gone = new Set<number>();
  #left: number;
  readonly #done = Promise.withResolvers<void>();
  readonly ended: Promise<void> = this.#done.promise;

  constructor(ids: readonly number[], startMs: number, before: FleetCounts) {
    this.#startMs = startMs;
    this.#before = before;
    this.#positions = new Map(ids.map((id, position) => [id, position]));
    this.#perProxyMs = new Float64Array(ids.length).fill(Number.NaN);
    this.#left = ids.length;
    if (ids.length === 0) this.end();
  }

  warm(id: number, nowMs: number): void {
    const position = this.#positions.get(id);
    if (position === undefined || !Number.isNaN(this.#perProxyMs[position])) return;
    this.#perProxyMs[position] = nowMs - this.#startMs;
    if (this.#gone.delete(id)) return;
    this.#left--;
    if (this.#left === 0) this.end();
  }

  /** Nobody waits for this one any more; it is missing. */
  gone(id: number): void {
    const position = this.#positions.get(id);
    if (position === undefined || !Number.isNaN(this.#perProxyMs[position]) || this.#gone.has(id)) return;
    this.#gone.add(id);
    this.#left--;
    if (this.#left === 0) this.end();
  }

  /** Whatever is missing stays missing. */
  end(): void {
    this.#done.resolve();
  }

  result(after: FleetCounts): Opened {
    const reached = this.#perProxyMs.filter((ms) => !Number.isNaN(ms));
    const ids = [...this.#positions.keys()];
    return {
      firstMs: reached.length === 0 ? Number.NaN : reached.reduce((left, right) => Math.min(left, right)),
      allMs: reached.length === 0 ? Number.NaN : reached.reduce((left, right) => Math.max(left, right)),
      perProxyMs: this.#perProxyMs,
      proxies: Uint32Array.from(ids),
      missing: ids.filter((_, position) => Number.isNaN(this.#perProxyMs[position])),
      ...countsBetween(this.#before, after),
    };
  }
}

function countsBetween(before: FleetCounts, after: FleetCounts) {
  return {
    responses: after.responses - before.responses,
    resources: after.resources - before.resources,
    repeated: after.repeated - before.repeated,
    bytes: after.bytes - before.bytes,
    handshakes: after.handshakes - before.handshakes,
    resumed: after.resumed - before.resumed,
  };
}
