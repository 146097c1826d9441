/** The main thread's end of a stream thread: its streams, and what each of them is sent. */
import { nextTurn } from "../../platform/mod.ts";
import type { AcceptStream, EndCode, StreamHandler, StreamTransport } from "../transport.ts";
import { BatchReader, BatchWriter, ENTRY } from "./stream-batch.ts";
import { STREAM_WINDOW_BYTES, type StreamEnding, type StreamOpening } from "./stream-thread-messages.ts";

/** How long what a thread tells is worked on before others get their turn. */
const SLICE_MS = 4;
/** A batch that is as large goes out before the turn ends. */
const BATCH_BYTES = 1024 * 1024;

export interface ThreadChannelOptions {
  readonly post: (batch: ArrayBuffer) => void;
  readonly accept: AcceptStream;
  readonly handled: SharedArrayBuffer;
  readonly monotonic: () => number;
}

export class ThreadChannel {
  readonly #options: ThreadChannelOptions;
  readonly #handled: Int32Array;
  readonly #streams = new Map<number, ThreadedStream>();
  readonly #responses: SentResponses;
  readonly #writer = new BatchWriter();
  /** What the thread has told; bounded by what it may tell ahead. */
  readonly #told: BatchReader[] = [];
  #isReading = false;
  #isFlushing = false;
  #isOver = false;

  constructor(options: ThreadChannelOptions) {
    this.#options = options;
    this.#handled = new Int32Array(options.handled);
    this.#responses = new SentResponses((id) => this.#add(ENTRY.forget, id));
  }

  get streamCount(): number {
    return this.#streams.size;
  }

  /** Whether there is something that the thread told and nobody has heard yet. */
  get isBehind(): boolean {
    return this.#told.length > 0;
  }

  /** Takes a batch of the thread, in slices: thousands of streams may speak at once. */
  receive(batch: ArrayBuffer): void {
    this.#told.push(new BatchReader(batch));
    if (this.#isReading) return;
    this.#isReading = true;
    void nextTurn().then(this.#read);
  }

  /** Forgets responses that were not sent for a while; to be called at intervals. */
  age(): void {
    this.#responses.age();
  }

  send(stream: number, response: Buffer): void {
    let id = this.#responses.idOf(response);
    if (id === undefined) {
      id = this.#responses.add(response);
      this.#writer.addBytes(ENTRY.bytes, id, response);
    }
    this.#add(ENTRY.send, stream, id);
  }

  proven(stream: number): void {
    this.#add(ENTRY.proven, stream);
  }

  end(stream: number, ending: StreamEnding): void {
    this.#streams.delete(stream);
    if (this.#isOver) return;
    this.#writer.addBytes(ENTRY.end, stream, Buffer.from(JSON.stringify(ending)));
    this.#schedule();
  }

  readonly flush = (): void => {
    this.#isFlushing = false;
    if (this.#writer.length > 0) this.#options.post(this.#writer.take());
  };

  /** The thread is gone, and every stream with it. */
  close(): void {
    this.#isOver = true;
    this.#told.length = 0;
    for (const stream of [...this.#streams.values()]) stream.handler?.closed();
    this.#streams.clear();
  }

  readonly #read = (): void => {
    const endsAtMs = this.#options.monotonic() + SLICE_MS;
    for (let batch = this.#told[0]; batch !== undefined; batch = this.#told[0]) {
      while (batch.next()) {
        this.#take(batch);
        if (this.#options.monotonic() < endsAtMs) continue;
        void nextTurn().then(this.#read);
        return;
      }
      this.#told.shift();
      Atomics.add(this.#handled, 0, batch.length);
      Atomics.notify(this.#handled, 0);
    }
    this.#isReading = false;
  };

  #take(entry: BatchReader): void {
    if (entry.kind === ENTRY.open) {
      this.#open(entry.key, JSON.parse(Buffer.from(entry.bytes).toString()) as StreamOpening);
      return;
    }
    // A stream that was ended here may go on for a moment there.
    const stream = this.#streams.get(entry.key);
    if (stream === undefined) return;
    if (entry.kind === ENTRY.message) stream.handler?.receive(entry.bytes);
    else if (entry.kind === ENTRY.credit) stream.credit(entry.value);
    else if (entry.kind === ENTRY.halfClosed) stream.handler?.halfClosed();
    else if (entry.kind === ENTRY.closed) {
      this.#streams.delete(entry.key);
      stream.handler?.closed();
    } else if (entry.kind === ENTRY.failed) {
      this.#streams.delete(entry.key);
      const { code, message } = JSON.parse(Buffer.from(entry.bytes).toString()) as StreamEnding;
      stream.handler?.failed(code, message);
    }
  }

  #open(id: number, { protocol, certificate }: StreamOpening): void {
    const stream = new ThreadedStream(this, id);
    this.#streams.set(id, stream);
    stream.handler = this.#options.accept(protocol, certificate, stream);
  }

  #add(kind: number, key: number, value = 0): void {
    this.#writer.add(kind, key, value);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#writer.length >= BATCH_BYTES) this.flush();
    else if (!this.#isFlushing) {
      this.#isFlushing = true;
      queueMicrotask(this.flush);
    }
  }
}

/** A stream whose socket is in a thread. */
class ThreadedStream implements StreamTransport {
  handler: StreamHandler | undefined;
  readonly #channel: ThreadChannel;
  readonly #id: number;
  /** Bytes on their way to the socket. */
  #underWay = 0;
  #isWaiting = false;

  constructor(channel: ThreadChannel, id: number) {
    this.#channel = channel;
    this.#id = id;
  }

  send(prefixed: Buffer): boolean {
    this.#channel.send(this.#id, prefixed);
    this.#underWay += prefixed.length;
    this.#isWaiting = this.#underWay >= STREAM_WINDOW_BYTES;
    return !this.#isWaiting;
  }

  proven(): void {
    this.#channel.proven(this.#id);
  }

  end(code: EndCode, message: string, isOurFault?: boolean): void {
    this.#channel.end(this.#id, isOurFault === undefined ? { code, message } : { code, message, isOurFault });
  }

  /** So many bytes have arrived at the socket. */
  credit(bytes: number): void {
    this.#underWay -= bytes;
    if (!this.#isWaiting || this.#underWay >= STREAM_WINDOW_BYTES) return;
    this.#isWaiting = false;
    this.handler?.drained();
  }
}

/** What a thread keeps of responses, so that one for thousands of streams crosses once. */
const KEPT_BYTES_MAX = 16 * 1024 * 1024;
const KEPT_MAX = 4096;

/** Which responses a thread has, under which numbers. The first that came are the first to go. */
export class SentResponses {
  readonly #onForget: (id: number) => void;
  readonly #ids = new Map<Buffer, number>();
  #bytes = 0;
  #last = 0;
  #lastAtAge = 0;

  constructor(onForget: (id: number) => void) {
    this.#onForget = onForget;
  }

  idOf(response: Buffer): number | undefined {
    return this.#ids.get(response);
  }

  /** The number of one that is not there yet. */
  add(response: Buffer): number {
    this.#last = (this.#last + 1) >>> 0;
    this.#ids.set(response, this.#last);
    this.#bytes += response.length;
    for (const [first, id] of this.#ids) {
      if (this.#bytes <= KEPT_BYTES_MAX && this.#ids.size <= KEPT_MAX) break;
      if (first !== response) this.#forget(first, id);
    }
    return this.#last;
  }

  /** Forgets what was there at the call before. */
  age(): void {
    for (const [response, id] of this.#ids) {
      if (id > this.#lastAtAge) break;
      this.#forget(response, id);
    }
    this.#lastAtAge = this.#last;
  }

  #forget(response: Buffer, id: number): void {
    this.#ids.delete(response);
    this.#bytes -= response.length;
    this.#onForget(id);
  }
}
