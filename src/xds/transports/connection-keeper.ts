import type { Clock } from "../../lib/mod.ts";

/** Every connection is looked at once in a round, a part of them in each tick, so that thousands of pings never meet. */
const ROUND_MS = 5_000;
const PARTS = 20;
/** Rounds without a byte from the peer until it is asked whether it is there, and until it counts as gone: 30 s and 10 s. */
const SILENT_ROUNDS = 5;
const UNANSWERED_ROUNDS = 2;
/** Rounds that a connection may stay without ever having had a stream: 10 s; and between two streams: 60 s. */
const UNUSED_ROUNDS = 2;
const IDLE_ROUNDS = 12;
/** TLS looks at a certificate in the handshake alone. Connections whose certificates end together go over 40 s, all within 60 s. */
const EXPIRY_SPREAD_MS = 40_000;
const EXPIRY_STEPS = 16;

/** A connection, as far as its upkeep goes. */
export interface KeptConnection {
  /** Whether the peer was heard since this was made false, or is not listened to on purpose. */
  isHeard: boolean;
  readonly openStreams: number;
  readonly hasHadStream: boolean;
  ping(): void;
  /** Closes it politely, once its streams are over; the second time at once. */
  close(): void;
  /** The peer is gone. */
  destroy(): void;
}

interface Upkeep {
  /** On the wall clock. */
  readonly endsAtMs: number;
  silentRounds: number;
  idleRounds: number;
}

/** Finds out which connections are dead, unused or of clients whose certificate has expired, and ends them. */
export class ConnectionKeeper {
  readonly #clock: Clock;
  readonly #parts: readonly Map<KeptConnection, Upkeep>[];
  #next = 0;
  #part = 0;
  #count = 0;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#parts = Array.from({ length: PARTS }, () => new Map());
  }

  get count(): number {
    return this.#count;
  }

  /** `notAfterMs` is the end of the client's certificate. Returns what to call when the connection is gone. */
  add(connection: KeptConnection, notAfterMs: number): () => void {
    const number = this.#next++;
    const part = this.#parts[number % PARTS];
    const endsAtMs = notAfterMs + ((number % EXPIRY_STEPS) / EXPIRY_STEPS) * EXPIRY_SPREAD_MS;
    part?.set(connection, { endsAtMs, silentRounds: 0, idleRounds: 0 });
    this.#count++;
    this.#cancel ??= this.#clock.after(ROUND_MS / PARTS, () => this.#tick());
    return () => {
      if (part?.delete(connection)) this.#count--;
    };
  }

  *connections(): IterableIterator<KeptConnection> {
    for (const part of this.#parts) yield* part.keys();
  }

  #tick(): void {
    this.#cancel = undefined;
    const part = this.#parts[this.#part++ % PARTS];
    const nowMs = this.#clock.now();
    for (const [connection, upkeep] of part ?? []) look(connection, upkeep, nowMs);
    if (this.#count > 0) this.#cancel = this.#clock.after(ROUND_MS / PARTS, () => this.#tick());
  }
}

function look(connection: KeptConnection, upkeep: Upkeep, nowMs: number): void {
  upkeep.silentRounds = connection.isHeard ? 0 : upkeep.silentRounds + 1;
  upkeep.idleRounds = connection.openStreams > 0 ? 0 : upkeep.idleRounds + 1;
  connection.isHeard = false;
  if (upkeep.silentRounds > SILENT_ROUNDS + UNANSWERED_ROUNDS) connection.destroy();
  // Its streams do not end by themselves: the second time it is cut off.
  else if (nowMs >= upkeep.endsAtMs) connection.close();
  else if (upkeep.idleRounds > (connection.hasHadStream ? IDLE_ROUNDS : UNUSED_ROUNDS)) connection.close();
  else if (upkeep.silentRounds === SILENT_ROUNDS) connection.ping();
}
