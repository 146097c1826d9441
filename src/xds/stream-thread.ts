/** The inside of a stream thread: sockets, TLS, HTTP/2 and gRPC framing. What streams say and are told is the main thread's. */
import type { MessagePort } from "node:worker_threads";
import { type Clock, observeLoopDelay } from "../lib/mod.ts";
import { nextTurn } from "../platform/mod.ts";
import { framedTransport } from "./framed-transport.ts";
import { BatchReader, BatchWriter, ENTRY } from "./stream-batch.ts";
import {
  type FromStreamThread,
  STREAM_WINDOW_BYTES,
  type StreamEnding,
  type StreamOpening,
  type StreamThreadData,
  type ToStreamThread,
} from "./stream-thread-messages.ts";
import { ThreadMetrics } from "./stream-thread-metrics.ts";
import type { StreamHandler, StreamTransport, Transport } from "./transport.ts";

/** What the main thread has not worked through may be so much; then the thread waits, and its sockets with it. */
const UNHANDLED_MAX = 1024 * 1024;
/** A batch that is as large goes out before the turn ends. */
const BATCH_BYTES = 128 * 1024;
const WAIT_MS = 100;
const STANDING_MS = 1_000;

export type { StreamThreadData };

/** Serves streams until the thread is ended. `port` leads to the main thread. */
export function serveStreamThread(port: MessagePort, data: StreamThreadData, clock: Clock): void {
  const streams = new Map<number, ThreadStream>();
  const responses = new Map<number, Buffer>();
  const metrics = new ThreadMetrics(() => outbox.schedule());
  const outbox = new Outbox(port, new Int32Array(data.handled), metrics);
  let opened = 0;
  const transport = framedTransport({
    accept(protocol, certificate, stream) {
      opened = (opened + 1) >>> 0;
      const id = opened;
      const relayed = new ThreadStream(outbox, id, stream, () => streams.delete(id));
      streams.set(id, relayed);
      outbox.addBytes(ENTRY.open, id, jsonBytes({ protocol, certificate } satisfies StreamOpening));
      return relayed;
    },
    credentials: data.credentials,
    ticketKeys: Buffer.from(data.ticketKeys),
    limits: data.limits,
    reusePort: true,
    clock,
    metrics,
  });
  const take = (batch: BatchReader) => {
    const stream = streams.get(batch.key);
    if (batch.kind === ENTRY.send) {
      const response = responses.get(batch.value);
      if (response !== undefined) stream?.send(response);
    } else if (batch.kind === ENTRY.bytes) responses.set(batch.key, Buffer.from(batch.bytes));
    else if (batch.kind === ENTRY.forget) responses.delete(batch.key);
    else if (batch.kind === ENTRY.end) stream?.end(JSON.parse(Buffer.from(batch.bytes).toString()) as StreamEnding);
  };
  port.on("message", (message: ArrayBuffer | ToStreamThread) => {
    if (!(message instanceof ArrayBuffer)) {
      void obey(message, transport, (answer) => outbox.tell(answer));
      return;
    }
    const batch = new BatchReader(message);
    while (batch.next()) take(batch);
  });
  observeLoopDelay(metrics, clock);
  const stand = () => {
    outbox.tell(metrics.standing());
    clock.after(STANDING_MS, stand);
  };
  stand();
}

async function obey(
  message: ToStreamThread,
  transport: Transport,
  answer: (answer: FromStreamThread) => void,
): Promise<void> {
  if (message.kind === "credentials") transport.renewCredentials(message.credentials);
  else if (message.kind === "ticket-keys") transport.renewTicketKeys(Buffer.from(message.keys));
  else if (message.kind === "close") {
    await transport.close();
    answer({ kind: "closed" });
  } else {
    try {
      answer({ kind: "listening", address: await transport.listen(message.address) });
    } catch (error) {
      const { code, message: words } = error as NodeJS.ErrnoException;
      answer({ kind: "not-listening", message: words, code });
    }
  }
}

function jsonBytes(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

/** Gathers what is told in one turn of the thread's sockets. */
class Outbox {
  readonly #port: MessagePort;
  readonly #handled: Int32Array;
  readonly #metrics: ThreadMetrics;
  readonly #writer = new BatchWriter();
  #told = 0;
  #isScheduled = false;

  constructor(port: MessagePort, handled: Int32Array, metrics: ThreadMetrics) {
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
    this.#port.postMessage(message);
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
    if (counts.length > 0) this.#port.postMessage({ kind: "counted", counts } satisfies FromStreamThread);
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

/** A stream in its thread: tells what the client says, and how much of what it is sent has gone. */
class ThreadStream implements StreamHandler {
  readonly #outbox: Outbox;
  readonly #id: number;
  readonly #transport: StreamTransport;
  readonly #onOver: () => void;
  /** Bytes that were sent and not given back to the main thread. */
  #taken = 0;

  constructor(outbox: Outbox, id: number, transport: StreamTransport, onOver: () => void) {
    this.#outbox = outbox;
    this.#id = id;
    this.#transport = transport;
    this.#onOver = onOver;
  }

  receive(message: Uint8Array): void {
    this.#outbox.addBytes(ENTRY.message, this.#id, message);
  }

  drained(): void {
    if (this.#taken > 0) this.#credit();
  }

  halfClosed(): void {
    this.#outbox.add(ENTRY.halfClosed, this.#id);
  }

  closed(): void {
    this.#onOver();
    this.#outbox.add(ENTRY.closed, this.#id);
  }

  send(response: Buffer): void {
    this.#taken += response.length;
    if (this.#transport.send(response) && this.#taken >= STREAM_WINDOW_BYTES / 2) this.#credit();
  }

  end({ code, message }: StreamEnding): void {
    this.#onOver();
    this.#transport.end(code, message);
  }

  #credit(): void {
    this.#outbox.add(ENTRY.credit, this.#id, this.#taken);
    this.#taken = 0;
  }
}
