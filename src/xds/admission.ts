import type { Clock } from "../lib/mod.ts";

/** How much of one turn of the event loop may pass while handshakes are waiting for theirs. */
const TURN_MS = 10;
/** Handshakes begun in one turn: a busy loop still lets some in, an idle one does not take a crowd at once. */
const PER_TURN_MIN = 2;
const PER_TURN_MAX = 32;
const PER_TURN_START = 8;
/** Handshakes that are begun and not done. What begins them slowly keeps this low; it bounds what stalled ones hold. */
const UNDER_WAY_MAX = 512;
/** How soon the line is looked at again when so many are under way. */
const FULL_MS = 50;

export interface AdmissionOptions<Item> {
  /** Begins the handshake. `done` must be called once for it, however it ends. */
  readonly start: (item: Item) => void;
  /** Runs an action once the sockets have had their turn. */
  readonly later: (action: () => void) => void;
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
 * Lets handshakes begin oldest first, so many in a turn of the event loop as its length allows: whatever a new connection
 * costs, its handshake, what its proxy asks for and what others do meanwhile, a turn that took too long lets fewer
 * begin in the next one.
 */
export function admission<Item>({ start, later, clock }: AdmissionOptions<Item>): Admission<Item> {
  const line = new Set<Item>();
  let underWay = 0;
  let perTurn = PER_TURN_START;
  let isScheduled = false;
  /** When the turn began in which handshakes were begun last; undefined when the line was empty after it. */
  let turnBeganMs: number | undefined;

  const run = () => {
    isScheduled = false;
    const nowMs = clock.monotonic();
    if (turnBeganMs !== undefined) perTurn = nextPerTurn(perTurn, nowMs - turnBeganMs);
    turnBeganMs = nowMs;
    const room = Math.min(Math.round(perTurn), UNDER_WAY_MAX - underWay);
    let begun = 0;
    for (const item of line) {
      if (begun >= room) break;
      line.delete(item);
      begun++;
      underWay++;
      start(item);
    }
    if (line.size === 0) turnBeganMs = undefined;
    else schedule(begun === 0);
  };
  const schedule = (isFull: boolean) => {
    if (isScheduled) return;
    isScheduled = true;
    if (!isFull) return later(run);
    // The time until then is nobody's work.
    turnBeganMs = undefined;
    clock.after(FULL_MS, run);
  };
  return {
    add(item) {
      line.add(item);
      schedule(false);
    },
    remove: (item) => void line.delete(item),
    done: () => void underWay--,
    get waiting() {
      return line.size;
    },
    get underWay() {
      return underWay;
    },
  };
}

function nextPerTurn(perTurn: number, turnMs: number): number {
  const factor = Math.min(1.25, Math.max(0.5, TURN_MS / Math.max(turnMs, 0.01)));
  return Math.min(PER_TURN_MAX, Math.max(PER_TURN_MIN, perTurn * factor));
}
