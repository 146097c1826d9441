/** The inside of a stream thread: sockets, TLS, HTTP/2 and gRPC framing. What streams say and are told is the main thread's. */
import type { MessagePort } from "node:worker_threads";
import { type Clock, observeLoopDelay, ownCopy } from "../../lib/mod.ts";
import type { EndCode, StreamHandler, StreamTransport, Transport } from "../transport.ts";
import { framedTransport } from "../transports/framed-transport.ts";
import { BatchReader, ENTRY } from "./stream-batch.ts";
import {
  type FromStreamThread,
  STREAM_WINDOW_BYTES,
  type StreamEnding,
  type StreamOpening,
  type StreamThreadData,
  type ToStreamThread,
} from "./stream-thread-messages.ts";
import { ThreadMetrics } from "./stream-thread-metrics.ts";
import { ThreadOutbox } from "./stream-thread-outbox.ts";

const STANDING_MS = 1_000;

export type { StreamThreadData };

/** Serves streams until the thread is ended. `port` leads to the main thread. */
export function serveStreamThread(port: MessagePort, data: StreamThreadData, clock: Clock): void {
  const streams = new Map<number, ThreadStream>();
  const responses = new Map<number, Buffer>();
  const metrics = new ThreadMetrics(() => outbox.schedule());
  const outbox = new ThreadOutbox(port, new Int32Array(data.handled), metrics);
  let opened = 0;
  let sent = 0;
  const transport = framedTransport({
    accept(protocol, certificate, stream) {
      opened = (opened + 1) >>> 0;
      const id = opened;
      const relayed = new ThreadStream(outbox, id, stream, () => streams.delete(id));
      streams.set(id, relayed);
      outbox.addBytes(ENTRY.open, id, jsonBytes({ protocol, certificate } satisfies StreamOpening));
      return relayed;
    },
    // First answers too: which of them are changes is the main thread's knowledge.
    told: () => sent,
    onHeldBack: (address, cause) => outbox.tell({ kind: "held-back", address, cause }),
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
      sent++;
    } else if (batch.kind === ENTRY.proven) stream?.proven();
    else if (batch.kind === ENTRY.bytes) responses.set(batch.key, ownCopy(batch.bytes));
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

/** A stream in its thread: tells what the client says, and how much of what it is sent has gone. */
class ThreadStream implements StreamHandler {
  readonly #outbox: ThreadOutbox;
  readonly #id: number;
  readonly #transport: StreamTransport;
  readonly #onOver: () => void;
  /** Bytes that were sent and not given back to the main thread. */
  #taken = 0;

  constructor(outbox: ThreadOutbox, id: number, transport: StreamTransport, onOver: () => void) {
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

  failed(code: EndCode, message: string): void {
    this.#onOver();
    this.#outbox.addBytes(ENTRY.failed, this.#id, jsonBytes({ code, message } satisfies StreamEnding));
  }

  send(response: Buffer): void {
    this.#taken += response.length;
    if (this.#transport.send(response) && this.#taken >= STREAM_WINDOW_BYTES / 2) this.#credit();
  }

  proven(): void {
    this.#transport.proven();
  }

  end({ code, message, isOurFault }: StreamEnding): void {
    this.#onOver();
    this.#transport.end(code, message, isOurFault);
  }

  #credit(): void {
    this.#outbox.add(ENTRY.credit, this.#id, this.#taken);
    this.#taken = 0;
  }
}
