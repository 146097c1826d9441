/** One stream thread, and the next one when it dies. */
import { Worker } from "node:worker_threads";
import { type Backoff, backoff, type Clock, type Log } from "../../lib/mod.ts";
import type { AddressRecordOptions } from "../admission/address-record.ts";
import type { XdsServerCredentials } from "../admission/server-credentials.ts";
import type { AcceptStream, TransportLimits } from "../transport.ts";
import type { FromStreamThread, StreamThreadData, ToStreamThread } from "./stream-thread-messages.ts";
import type { SummedMetrics } from "./stream-thread-metrics.ts";
import { ThreadChannel } from "./thread-channel.ts";

/** What a connection holds of its thread's heap, and what the thread needs without any. */
const CONNECTION_HEAP_MB = 0.1;
const BASE_HEAP_MB = 128;
/** Its garbage is short-lived: more room costs memory and saved no time. */
const YOUNG_HEAP_MB = 8;
/** Responses that are not sent for so long are kept no longer. */
const AGE_MS = 10_000;
/** A thread that says nothing in so many looks hangs. */
const LOOK_MS = 5_000;
const SILENT_LOOKS = 3;
const RESTART = { baseMs: 100, maxMs: 10_000 };
/** After such a life the next one begins with the shortest delay. */
const SOUND_MS = 60_000;
/** What a thread may need to close beyond what its transport waits for clients. */
const CLOSE_MS = 2_000;

export interface StreamThreadKeeperOptions {
  readonly entry: URL;
  readonly accept: AcceptStream;
  readonly limits: TransportLimits;
  readonly credentials: XdsServerCredentials;
  readonly ticketKeys: Uint8Array;
  readonly random: () => number;
  readonly clock: Clock;
  readonly metrics: SummedMetrics;
  readonly onHeldBack: AddressRecordOptions["onHeldBack"];
  readonly log: Log;
}

interface Life {
  readonly worker: Worker;
  readonly channel: ThreadChannel;
  readonly startedAtMs: number;
  cause: string | undefined;
  silentLooks: number;
  isOver: boolean;
}

/** Keeps a thread alive, and what the next one has to know. */
export class StreamThreadKeeper {
  readonly #name: string;
  readonly #options: StreamThreadKeeperOptions;
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  readonly #deaths: { add(): void };
  readonly #addresses: string[] = [];
  #credentials: XdsServerCredentials;
  #ticketKeys: Uint8Array;
  #life: Life;
  /** Who waits for the answer to `listen`; one at a time. */
  #listening: PromiseWithResolvers<string> | undefined;
  #closed: PromiseWithResolvers<void> | undefined;
  readonly #timers = new Map<string, () => void>();

  constructor(name: string, options: StreamThreadKeeperOptions) {
    this.#name = name;
    this.#options = options;
    this.#clock = options.clock;
    this.#backoff = backoff({ ...RESTART, random: options.random });
    this.#deaths = options.metrics.counter(
      "osm_xds_stream_thread_deaths_total",
      "Stream threads that ended without being told to",
    );
    this.#credentials = options.credentials;
    this.#ticketKeys = options.ticketKeys;
    this.#life = this.#begin();
    this.#every("age", AGE_MS, () => this.#life.channel.age());
    this.#every("look", LOOK_MS, () => this.#look());
  }

  /** Has the thread listen, now and in its next lives. Rejects with the system's error. */
  async listen(address: string): Promise<string> {
    const bound = await this.#ask(address);
    this.#addresses.push(bound);
    return bound;
  }

  renewCredentials(credentials: XdsServerCredentials): void {
    this.#credentials = credentials;
    this.#tell({ kind: "credentials", credentials });
  }

  renewTicketKeys(keys: Uint8Array): void {
    this.#ticketKeys = keys;
    this.#tell({ kind: "ticket-keys", keys });
  }

  /** Lets the thread tell its clients that their streams have ended, and ends it. */
  async close(): Promise<void> {
    if (this.#closed !== undefined) return this.#closed.promise;
    this.#closed = Promise.withResolvers();
    for (const cancel of this.#timers.values()) cancel();
    const { worker, channel, isOver } = this.#life;
    if (isOver) this.#closed.resolve();
    channel.flush();
    this.#tell({ kind: "close" });
    const cancel = this.#clock.after(CLOSE_MS, this.#closed.resolve);
    await this.#closed.promise;
    cancel();
    await worker.terminate();
    channel.close();
  }

  #begin(): Life {
    const { accept, entry, limits } = this.#options;
    const handled = new SharedArrayBuffer(4);
    const data: StreamThreadData = { limits, credentials: this.#credentials, ticketKeys: this.#ticketKeys, handled };
    const worker = new Worker(entry, {
      name: this.#name,
      workerData: data,
      resourceLimits: {
        maxOldGenerationSizeMb: Math.ceil(BASE_HEAP_MB + limits.connectionsMax * CONNECTION_HEAP_MB),
        maxYoungGenerationSizeMb: YOUNG_HEAP_MB,
      },
    });
    const channel = new ThreadChannel({
      post: (batch) => worker.postMessage(batch, [batch]),
      accept,
      handled,
      monotonic: this.#clock.monotonic,
    });
    const startedAtMs = this.#clock.monotonic();
    const life: Life = { worker, channel, startedAtMs, cause: undefined, silentLooks: 0, isOver: false };
    worker.on("message", (message: ArrayBuffer | FromStreamThread) => {
      life.silentLooks = 0;
      if (message instanceof ArrayBuffer) channel.receive(message);
      else this.#hear(message);
    });
    worker.on("error", (error: unknown) => {
      life.cause = error instanceof Error ? (error.stack ?? error.message) : String(error);
    });
    worker.once("exit", () => this.#end(life));
    return life;
  }

  #tell(message: ToStreamThread): void {
    this.#life.worker.postMessage(message);
  }

  #ask(address: string): Promise<string> {
    this.#listening = Promise.withResolvers();
    this.#tell({ kind: "listen", address });
    return this.#listening.promise;
  }

  #hear(message: FromStreamThread): void {
    const { metrics, onHeldBack } = this.#options;
    if (message.kind === "counted") metrics.counted(message.counts);
    else if (message.kind === "gauges") metrics.stand(this.#name, message.sums, message.gauges);
    else if (message.kind === "listening") this.#listening?.resolve(message.address);
    else if (message.kind === "held-back") onHeldBack(message.address, message.cause);
    else if (message.kind === "closed") this.#closed?.resolve();
    else this.#listening?.reject(Object.assign(new Error(message.message), { code: message.code }));
  }

  #end(life: Life): void {
    const { log, metrics } = this.#options;
    life.isOver = true;
    metrics.forget(this.#name);
    if (this.#closed !== undefined) {
      this.#closed.resolve();
      return;
    }
    this.#deaths.add();
    const cause = life.cause ?? "it ended by itself";
    const streams = life.channel.streamCount;
    this.#listening?.reject(new Error(`the thread ${this.#name} died: ${cause}`));
    if (this.#clock.monotonic() - life.startedAtMs >= SOUND_MS) this.#backoff.reset();
    const delayMs = this.#backoff.next();
    log.error("a stream thread died; its proxies come back to others or to the next one", {
      thread: this.#name,
      streams,
      restartMs: Math.round(delayMs),
      cause,
    });
    life.channel.close();
    this.#after("restart", delayMs, () => void this.#restart());
  }

  async #restart(): Promise<void> {
    const life = this.#begin();
    this.#life = life;
    try {
      for (const address of this.#addresses) await this.#ask(address);
    } catch (error) {
      // The next attempt is due when this one has ended, which it may have done by itself.
      life.cause ??= `it cannot listen: ${error instanceof Error ? error.message : String(error)}`;
      await life.worker.terminate();
    }
  }

  /** A machine that slept is behind with all its timers, but looks only once before it hears. */
  #look(): void {
    const life = this.#life;
    if (life.channel.isBehind) return;
    if (++life.silentLooks !== SILENT_LOOKS) return;
    life.cause ??= `it said nothing for ${(SILENT_LOOKS * LOOK_MS) / 1000} s`;
    void life.worker.terminate();
  }

  #every(timer: string, ms: number, action: () => void): void {
    this.#after(timer, ms, () => {
      action();
      this.#every(timer, ms, action);
    });
  }

  #after(timer: string, ms: number, action: () => void): void {
    this.#timers.set(timer, this.#clock.after(ms, action));
  }
}
