import { Http2Error, protocolError } from "./errors.ts";
import type { ServerStream } from "./stream.ts";

/** Streams that are over and that a late frame may still speak of. */
const REMEMBERED_MAX = 64;

/** The streams of one connection: those that are open, and how the last of those that are over have ended. */
export class StreamTable {
  readonly #open = new Map<number, ServerStream>();
  /** The stream that was asked for last: nearly always the only one. */
  #recent: ServerStream | undefined;
  /** In the order of their ends; the oldest is forgotten first. True: what was under way when we reset it is no error. */
  #wasResetByUs: Map<number, boolean> | undefined;
  readonly #streamWindowBytes: number;
  /** Of DATA for streams that we have reset. */
  #lateBytesLeft = 0;
  /** The highest stream that the client has used. */
  lastId = 0;

  constructor(streamWindowBytes: number) {
    this.#streamWindowBytes = streamWindowBytes;
  }

  /** How many are open. */
  get size(): number {
    return this.#open.size;
  }

  /** Those that are open now. */
  all(): readonly ServerStream[] {
    return this.#open.size === 0 ? [] : [...this.#open.values()];
  }

  find(id: number): ServerStream | undefined {
    const recent = this.#recent;
    if (recent !== undefined && recent.id === id) return recent;
    const stream = this.#open.get(id);
    if (stream) this.#recent = stream;
    return stream;
  }

  add(stream: ServerStream): void {
    this.#open.set(stream.id, stream);
  }

  /** Never used by the client: DATA and the like may not come on it. */
  isIdle(id: number): boolean {
    return id % 2 === 0 || id > this.lastId;
  }

  /** Takes note that a stream, open or refused, is over. */
  close(id: number, wasResetByUs: boolean): void {
    this.#open.delete(id);
    if (this.#recent?.id === id) this.#recent = undefined;
    if (wasResetByUs) this.#lateBytesLeft += this.#streamWindowBytes;
    this.#wasResetByUs ??= new Map();
    this.#wasResetByUs.set(id, wasResetByUs);
    if (this.#wasResetByUs.size <= REMEMBERED_MAX) return;
    for (const oldest of this.#wasResetByUs.keys()) {
      this.#wasResetByUs.delete(oldest);
      break;
    }
  }

  /** Of the last ones that are over. */
  wasResetByUs(id: number): boolean {
    return this.#wasResetByUs?.get(id) ?? false;
  }

  /** Of DATA that a client had under way when we reset its stream: false once there is more than the streams' windows had room for. */
  takesLateData(bytes: number): boolean {
    this.#lateBytesLeft -= bytes;
    return this.#lateBytesLeft >= 0;
  }

  /** What HEADERS on a stream that is not open any more mean for the connection. */
  headersAfterEnd(id: number): Http2Error | undefined {
    const wasResetByUs = this.#wasResetByUs?.get(id);
    if (wasResetByUs === undefined) return protocolError("HEADERS on a stream older than the last");
    return wasResetByUs ? undefined : new Http2Error("STREAM_CLOSED", "HEADERS on a stream that is closed");
  }
}
