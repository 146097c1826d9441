import process from "node:process";
import type { Clock } from "../lib/mod.ts";
import { type Connection, endpointOf } from "./connection.ts";
import { Answers } from "./connection-answers.ts";
import { CredentialContexts } from "./connection-credentials.ts";
import { ResourceMemory } from "./envoy-resources.ts";
import { typeNumber } from "./envoy-types.ts";
import type {
  Behaviour,
  Fleet,
  FleetCounts,
  Opened,
  OpenOptions,
  ProcessUsage,
  ProxySpec,
  ProxyTable,
  ReopenOptions,
  Seen,
  Target,
  WarmOptions,
  Watch,
} from "./fleet-api.ts";
import { OpeningQueue, WarmWait } from "./fleet-opening.ts";
import { Seat } from "./fleet-seat.ts";
import { DigestMemory } from "./fleet-tables.ts";
import { WatchBook } from "./fleet-watches.ts";
import { MessageBuffers } from "./http2-buffers.ts";
import type { CallEnd } from "./http2-client.ts";
import { processUsage } from "./process-usage.ts";
import { ProxyCounts } from "./proxy-counts.ts";

const TICK_MS = 500;
const REFILL_MS = 100;
const HANDSHAKE_MS_MAX = 30_000;
const OPEN_MS_MAX = 120_000;
/** A server has said what it had to say of an opening when it said nothing for so long. */
const QUIET_MS = 50;
const QUIET_ROUNDS_MAX = 20;
/** Beside those in use they must not take all of a process's 20,000 file descriptors. */
const HALF_OPEN_MAX = 10_000;

/** Envoy's back-off to a lost control plane: a random part of an interval that doubles. */
const RETRY = { baseMs: 500, maxMs: 30_000 } as const;

export interface EngineOptions {
  readonly target: Target;
  readonly proxies: readonly ProxySpec[];
  readonly clock: Clock;
  readonly random: () => number;
}

/** The proxies of one process. */
export class FleetEngine implements Fleet {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #seats: ReadonlyMap<number, Seat>;
  readonly #addresses: number;
  readonly #counts = new ProxyCounts();
  readonly #memory = new ResourceMemory();
  readonly #watches = new WatchBook();
  readonly #queue: OpeningQueue;
  readonly #waits = new Set<WarmWait>();
  readonly #halfOpen: Connection[] = [];
  readonly #slow = new Set<Seat>();
  readonly #usage = processUsage();
  #isStopped = false;

  /** Throws a `RangeError` for a target that cannot be. */
  constructor({ target, proxies, clock, random }: EngineOptions) {
    this.#clock = clock;
    this.#random = random;
    this.#queue = new OpeningQueue(clock);
    const endpoints = [target.address, ...(target.alternatives ?? [])].map((address) =>
      endpointOf({ ...target, address }),
    );
    this.#addresses = endpoints.length;
    const shared = {
      endpoints,
      answers: new Answers((action) => void setImmediate(action)),
      buffers: new MessageBuffers(),
      random,
      memory: this.#memory,
      counts: this.#counts,
      watches: this.#watches,
      contexts: target.tls === undefined ? undefined : new CredentialContexts(target.tls.rootsPem),
      monotonic: () => clock.monotonic(),
      hrtime: () => process.hrtime.bigint(),
      after: (delayMs: number, action: () => void) => clock.after(delayMs, action),
      events: {
        settled: () => this.#queue.settled(),
        becameWarm: (seat: Seat) => {
          for (const wait of this.#waits) wait.warm(seat.id, clock.monotonic());
        },
        gone: (seat: Seat) => {
          for (const wait of this.#waits) wait.gone(seat.id);
        },
        lost: (seat: Seat, end: CallEnd) => this.#lost(seat, end),
      },
    };
    this.#seats = new Map(proxies.map((spec) => [spec.id, new Seat(spec, shared)]));
    for (const seat of this.#seats.values()) if (seat.proxy.behaviour.kind === "slow-reader") this.#slow.add(seat);
    this.#tick();
    this.#refill(clock.monotonic());
  }

  connect(options: OpenOptions = {}): Promise<Opened> {
    const seats = this.#chosen(options.ids).filter((seat) => !seat.isConnected);
    return this.#open(seats, options);
  }

  warm(options: WarmOptions = {}): Promise<Opened> {
    return this.#wait(this.#chosen(options.ids), options, options.again ?? false);
  }

  reopen(options: ReopenOptions = {}): Promise<Opened> {
    const seats = this.#chosen(options.ids);
    for (const seat of seats) {
      this.#close(seat, options.withoutFin ? "half-open" : options.reset ? "rst" : "fin");
      if (options.forget) seat.forget();
      if (options.withoutResumption) seat.forgetSession();
    }
    return this.#open(seats, options);
  }

  async disconnect(ids?: readonly number[]): Promise<void> {
    for (const seat of this.#chosen(ids)) this.#close(seat, "fin");
  }

  async watch(watch: Watch): Promise<void> {
    const ids = watch.proxies ?? [...this.#seats.keys()];
    this.#watches.add(
      watch,
      ids.filter((id) => this.#seats.has(id)),
    );
  }

  collect(changeId: number, timeoutMs: number): Promise<Seen> {
    return this.#watches.collect(changeId, (action) => this.#clock.after(timeoutMs, action));
  }

  async setBehaviour(ids: readonly number[], behaviour: Behaviour): Promise<void> {
    const seats = this.#chosen(ids);
    const returning = behaviour.kind === "normal" ? seats.filter((seat) => this.#prepareReturn(seat)) : [];
    for (const seat of seats) {
      seat.setBehaviour(behaviour);
      if (behaviour.kind === "slow-reader") this.#slow.add(seat);
      else this.#slow.delete(seat);
    }
    if (returning.length > 0) await this.#open(returning, {});
  }

  /** Whether it is well again only on a new stream: the old one is closed then. */
  #prepareReturn(seat: Seat): boolean {
    const { kind } = seat.proxy.behaviour;
    if (kind === "normal" || kind === "slow-reader" || !(seat.isWanted || seat.isConnected)) return false;
    // A server does not send the same process again what it has refused.
    if (kind === "nack") seat.forget();
    this.#close(seat, "fin");
    return true;
  }

  async places(): Promise<readonly (readonly number[])[]> {
    const places = Array.from({ length: this.#addresses }, (): number[] => []);
    for (const seat of this.#seats.values()) if (seat.isOpen) places[seat.place]?.push(seat.id);
    return places.map((ids) => ids.sort((left, right) => left - right));
  }

  async counts(): Promise<FleetCounts> {
    return this.#counts.snapshot();
  }

  async tables(): Promise<readonly ProxyTable[]> {
    const digests = new DigestMemory();
    return [...this.#seats.values()].map(({ id, proxy }) => ({ id, types: digests.of(proxy) }));
  }

  async resource(proxyId: number, typeUrl: string, name: string): Promise<Uint8Array | undefined> {
    const type = typeNumber(typeUrl);
    return type === undefined ? undefined : this.#seats.get(proxyId)?.proxy.table(type).resources.get(name)?.bytes;
  }

  async usage(): Promise<readonly ProcessUsage[]> {
    return [this.#usage.read()];
  }

  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    for (const seat of this.#seats.values()) this.#close(seat, "fin");
    for (const connection of this.#halfOpen.splice(0)) connection.close("fin");
    for (const wait of this.#waits) wait.end();
    this.#usage.stop();
  }

  #chosen(ids: readonly number[] | undefined): readonly Seat[] {
    if (ids === undefined) return [...this.#seats.values()];
    return ids.flatMap((id) => this.#seats.get(id) ?? []);
  }

  #open(seats: readonly Seat[], options: OpenOptions): Promise<Opened> {
    const opened = this.#wait(seats, options);
    for (const seat of seats) {
      seat.isWanted = true;
      seat.detours = 0;
      seat.cancelRetry?.();
      seat.cancelRetry = undefined;
    }
    this.#queue.add(seats, options.perSecond);
    return opened;
  }

  async #wait(seats: readonly Seat[], { timeoutMs = OPEN_MS_MAX }: OpenOptions, isAgain = false): Promise<Opened> {
    const startMs = this.#clock.monotonic();
    const wait = new WarmWait(
      seats.map(({ id }) => id),
      startMs,
      this.#counts.snapshot(),
    );
    for (const { proxy, id } of seats) if (proxy.isWarm && !isAgain) wait.warm(id, startMs);
    this.#waits.add(wait);
    const cancel = this.#clock.after(timeoutMs, () => wait.end());
    await wait.ended;
    cancel();
    this.#waits.delete(wait);
    await this.#quiet();
    const opened = wait.result(this.#counts.snapshot());
    for (const id of opened.missing) {
      if (this.#isStopped) break;
      this.#counts.error("timeout", `proxy ${id} has not had all that it asked for after ${timeoutMs} ms`);
    }
    return opened;
  }

  /** What a server says last belongs to the opening as well, so that it is counted. */
  async #quiet(): Promise<void> {
    for (let round = 0; round < QUIET_ROUNDS_MAX && !this.#isStopped; round++) {
      const { responses } = this.#counts.snapshot();
      await new Promise<void>((resolve) => this.#clock.after(QUIET_MS, resolve));
      if (this.#counts.snapshot().responses === responses) return;
    }
  }

  #close(seat: Seat, how: "fin" | "rst" | "half-open"): void {
    seat.isWanted = false;
    seat.cancelRetry?.();
    seat.cancelRetry = undefined;
    const halfOpen = seat.close(how);
    if (halfOpen === undefined) return;
    this.#halfOpen.push(halfOpen);
    if (this.#halfOpen.length > HALF_OPEN_MAX) this.#halfOpen.shift()?.close("fin");
  }

  #lost(seat: Seat, { kind, message }: CallEnd): void {
    if (this.#isStopped) return;
    this.#counts.error(kind, message);
    if (!seat.isWanted) return;
    const ceilingMs = Math.min(RETRY.maxMs, RETRY.baseMs * 2 ** Math.min(seat.failures - 1, 10));
    seat.cancelRetry = this.#clock.after(this.#random() * ceilingMs, () => {
      seat.cancelRetry = undefined;
      this.#queue.add([seat]);
    });
  }

  #tick(): void {
    this.#clock.after(TICK_MS, () => {
      if (this.#isStopped) return;
      const nowMs = this.#clock.monotonic();
      for (const seat of this.#seats.values()) {
        seat.tick();
        if (!(nowMs - seat.openingSince > HANDSHAKE_MS_MAX)) continue;
        seat.giveUp({ kind: "timeout", message: `no handshake within ${HANDSHAKE_MS_MAX} ms` });
      }
      this.#tick();
    });
  }

  #refill(beforeMs: number): void {
    this.#clock.after(REFILL_MS, () => {
      if (this.#isStopped) return;
      const nowMs = this.#clock.monotonic();
      for (const seat of this.#slow) seat.refill(nowMs - beforeMs);
      this.#refill(nowMs);
    });
  }
}
