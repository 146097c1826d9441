import { ownCopy } from "../lib/mod.ts";
import { Connection, type Endpoint } from "./connection.ts";
import type { Answers } from "./connection-answers.ts";
import type { CredentialContexts } from "./connection-credentials.ts";
import { EnvelopeError } from "./envoy-discovery.ts";
import { encodeNode } from "./envoy-node.ts";
import type { Behaviour, ProxySpec } from "./fleet-api.ts";
import type { Hits, WatchBook } from "./fleet-watches.ts";
import type { MessageBuffers } from "./http2-buffers.ts";
import type { CallEnd } from "./http2-client.ts";
import { PeerError } from "./peer-error.ts";
import { SimulatedProxy } from "./proxy.ts";
import type { ProxySurroundings } from "./proxy-surroundings.ts";

/** What a seat tells the engine. */
export interface SeatEvents {
  /** The handshake is over, or failed: another one may begin. */
  settled(): void;
  becameWarm(seat: Seat): void;
  /** Will not be warm again by itself. */
  gone(seat: Seat): void;
  /** The connection ended by itself. */
  lost(seat: Seat, end: CallEnd): void;
}

export interface SeatSurroundings extends ProxySurroundings {
  /** Of each address of the target. */
  readonly endpoints: readonly Endpoint[];
  readonly answers: Answers;
  readonly buffers: MessageBuffers;
  readonly watches: WatchBook;
  readonly events: SeatEvents;
  /** Undefined: plain text. */
  readonly contexts: CredentialContexts | undefined;
  readonly hrtime: () => bigint;
  readonly after: (delayMs: number, action: () => void) => () => void;
}

/** A proxy with its connection, if it has one, and what goes from one connection to the next. */
export class Seat {
  readonly proxy: SimulatedProxy;
  readonly #shared: SeatSurroundings;
  #connection: Connection | undefined;
  #session: Buffer | undefined;
  #isOpen = false;
  #isSettled = true;
  #heldHits: Hits[] = [];
  #cancelVanishing: (() => void) | undefined;
  /** When its connection was begun, ms; NaN when none is being opened. */
  openingSince = Number.NaN;
  /** Connections that failed one after the other. */
  failures = 0;
  /** Connections that ended by themselves since it was told to open: the next address each time. */
  detours = 0;
  /** Cancels the next attempt. */
  cancelRetry: (() => void) | undefined;
  isWanted = false;

  constructor(spec: ProxySpec, shared: SeatSurroundings) {
    this.proxy = new SimulatedProxy(spec, shared);
    this.#shared = shared;
  }

  get id(): number {
    return this.proxy.spec.id;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** The address that it is connected to, or is next, counted from 0. */
  get place(): number {
    return (this.id + this.detours) % this.#shared.endpoints.length;
  }

  get isConnected(): boolean {
    return this.#connection !== undefined;
  }

  open(): void {
    const { endpoints, answers, buffers, counts, monotonic } = this.#shared;
    this.openingSince = monotonic();
    this.#isSettled = false;
    let context: ReturnType<CredentialContexts["of"]> | undefined;
    try {
      context = this.#context();
    } catch (error) {
      this.isWanted = false;
      this.#leave();
      this.#shared.events.gone(this);
      this.#shared.events.lost(this, { kind: "credential", message: (error as Error).message });
      return;
    }
    const connection: Connection = new Connection({
      endpoint: endpoints[this.place] as Endpoint,
      protocol: this.proxy.spec.protocol,
      context,
      session: this.#session,
      answers,
      buffers,
      events: {
        opened: (isResumed) => {
          this.#settle();
          this.#isOpen = true;
          counts.handshakes++;
          if (isResumed) counts.resumed++;
          counts.streams++;
          counts.open++;
          this.proxy.open(connection, encodeNode(this.proxy.spec));
          this.#behave(connection, this.proxy.behaviour);
        },
        message: (bytes) => this.#take(connection, bytes),
        flushed: () => this.#flushed(),
        ended: (end) => this.#ended(connection, end),
        session: (ticket) => {
          if (this.#connection === connection) this.#session = ownCopy(ticket);
        },
      },
    });
    this.#connection = connection;
  }

  /** Ends the connection on purpose. A half-open one is given back: it stays until somebody closes it. */
  close(how: "fin" | "rst" | "half-open"): Connection | undefined {
    const connection = this.#connection;
    this.#leave();
    if (connection === undefined) return undefined;
    if (how === "half-open") {
      connection.silence();
      return connection;
    }
    connection.close(how);
    return undefined;
  }

  /** Becomes a new process. */
  forget(): void {
    this.proxy.forget();
    this.#heldHits = [];
  }

  forgetSession(): void {
    this.#session = undefined;
  }

  /** Gives up a connection that does not come about. */
  giveUp(end: CallEnd): void {
    this.#connection?.close("fin");
    this.#ended(this.#connection, end);
  }

  setBehaviour(behaviour: Behaviour): void {
    this.proxy.behaviour = behaviour;
    this.#cancelVanishing?.();
    this.#cancelVanishing = undefined;
    if (this.#connection !== undefined && this.#isOpen) this.#behave(this.#connection, behaviour);
  }

  /** To be called regularly, of one that reads slowly. */
  refill(elapsedMs: number): void {
    this.#connection?.refill(elapsedMs);
  }

  /** To be called regularly: for what waits for time to pass. */
  tick(): void {
    const wasWarm = this.proxy.isWarm;
    if (!this.proxy.giveUpWarming()) return;
    this.#connection?.flush();
    this.#flushed();
    if (this.proxy.isWarm && !wasWarm) this.#shared.events.becameWarm(this);
  }

  #context() {
    const { certificatePem, privateKeyPem } = this.proxy.spec;
    const isWhole = certificatePem !== undefined && privateKeyPem !== undefined;
    return this.#shared.contexts?.of(isWhole ? { certificatePem, privateKeyPem } : undefined);
  }

  #behave(connection: Connection, behaviour: Behaviour): void {
    connection.limit(behaviour.kind === "slow-reader" ? behaviour.bytesPerSecond : Number.POSITIVE_INFINITY);
    if (behaviour.kind !== "vanish") return;
    this.#cancelVanishing = this.#shared.after(behaviour.afterMs, () => {
      this.#cancelVanishing = undefined;
      connection.silence();
      this.isWanted = false;
      this.proxy.closed();
      this.#shared.events.gone(this);
    });
  }

  #take(connection: Connection, bytes: Buffer): void {
    if (this.#connection !== connection) return;
    const { memory, watches } = this.#shared;
    const arrivedNs = watches.isEmpty ? 0n : this.#shared.hrtime();
    const wasWarm = this.proxy.isWarm;
    this.failures = 0;
    try {
      const response = memory.read(this.proxy.spec.protocol, bytes);
      const verdict = this.proxy.take(response, memory.nonce, bytes.length);
      if (!watches.isEmpty && verdict !== "refused") {
        const hits = watches.hits(response);
        if (hits.length > 0) {
          watches.arrived(this.id, hits, arrivedNs);
          if (verdict !== "unanswered") this.#heldHits.push(hits);
        }
      }
    } catch (error) {
      if (!(error instanceof EnvelopeError)) throw error;
      throw new PeerError(error.message);
    }
    if (this.proxy.isWarm && !wasWarm) this.#shared.events.becameWarm(this);
  }

  /**
   * What was answered is with the socket now; an ACK that Envoy would hold back is not. What came just before the stream
   * ended is acknowledged by the next stream, which begins with the versions of what the proxy has.
   */
  #flushed(): void {
    if (this.#heldHits.length === 0 || this.proxy.isHolding) return;
    const ns = this.#shared.hrtime();
    for (const hits of this.#heldHits.splice(0)) this.#shared.watches.acknowledged(this.id, hits, ns);
  }

  #ended(connection: Connection | undefined, end: CallEnd): void {
    if (connection === undefined || this.#connection !== connection) return;
    this.#leave();
    this.failures++;
    this.detours++;
    this.#shared.events.lost(this, end);
  }

  #leave(): void {
    this.#settle();
    this.#cancelVanishing?.();
    this.#cancelVanishing = undefined;
    if (this.#isOpen) this.#shared.counts.open--;
    this.#isOpen = false;
    this.#connection = undefined;
    this.proxy.closed();
  }

  #settle(): void {
    this.openingSince = Number.NaN;
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#shared.events.settled();
  }
}
