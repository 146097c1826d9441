/** What a stream thread tells the main thread, and how it is kept from telling too much. */
import { nextTurn } from "../../platform/mod.ts";
import { BatchWriter } from "./stream-batch.ts";
import type { FromStreamThread } from "./stream-thread-messages.ts";
import type { ThreadMetrics } from "./stream-thread-metrics.ts";

/** What the main thread has not worked through may be so much; then the thread waits, and its sockets with it. */
const UNHANDLED_MAX = 1024 * 1024;
/** A batch that is as large goes out before the turn ends. */
const BATCH_BYTES = 128 * 1024;
const WAIT_MS = 100;

export interface OutboxPort {
  postMessage(message: FromStreamThread | ArrayBuffer, moved: ArrayBuffer[]): void;
}

/** Gathers what is told in one turn of the thread's sockets. */
export class ThreadOutbox {
  readonly #port: OutboxPort;
  readonly #handled: Int32Array;
  readonly #metrics: ThreadMetrics;
  readonly #writer = new BatchWriter();
  #told = 0;
  #isScheduled = false;

  constructor(port: OutboxPort, handled: Int32Array, metrics: ThreadMetrics) {
    this.#port = port;
    this.#handled = handled;
    this.#metrics = metrics;
  }

  add(kind: number, key: number, value = 0): void {
    this.#writer.add(kind, key, value);
    this.schedule();
  }

  addBytes(kind: number, key: number, bytes: Uint8Array): void {
    this.#writer.addBytes(kind, key, bytes);
    if (this.#writer.length >= BATCH_BYTES) this.#flush();
    else this.schedule();
  }

  /** After what was told before. */
  tell(message: FromStreamThread): void {
    this.#flush();
    this.#port.postMessage(message, []);
  }

  schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    void nextTurn().then(() => {
      this.#isScheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    const counts = this.#metrics.takeCounts();
    if (counts.length > 0) this.#port.postMessage({ kind: "counted", counts } satisfies FromStreamThread, []);
    if (this.#writer.length === 0) return;
    const batch = this.#writer.take();
    this.#told = (this.#told + batch.byteLength) | 0;
    this.#port.postMessage(batch, [batch]);
    this.#waitForMain();
  }

  /** Clients that say more than the main thread can take are not read meanwhile, as if it had read them itself. */
  #waitForMain(): void {
    for (;;) {
      const handled = Atomics.load(this.#handled, 0);
      if (((this.#told - handled) | 0) <= UNHANDLED_MAX) return;
      Atomics.wait(this.#handled, 0, handled, WAIT_MS);
    }
  }
}
