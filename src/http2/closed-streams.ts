import { Http2Error } from "./errors.ts";

/** Streams that a late frame may still speak of. */
const REMEMBERED_MAX = 64;

/**
 * How the streams that were closed last ended: frames that were under way when we reset a stream are no error, those after
 * an end are.
 */
export class ClosedStreams {
  /** In the order of their ends; the oldest is forgotten first. */
  #wasResetByUs: Map<number, boolean> | undefined;

  remember(id: number, wasResetByUs: boolean): void {
    this.#wasResetByUs ??= new Map();
    this.#wasResetByUs.set(id, wasResetByUs);
    if (this.#wasResetByUs.size <= REMEMBERED_MAX) return;
    for (const oldest of this.#wasResetByUs.keys()) {
      this.#wasResetByUs.delete(oldest);
      break;
    }
  }

  /** Of the last ones. */
  wasResetByUs(id: number): boolean {
    return this.#wasResetByUs?.get(id) ?? false;
  }

  /** What HEADERS on a stream that is not open any more mean for the connection. */
  headersAfterEnd(id: number): Http2Error | undefined {
    const wasResetByUs = this.#wasResetByUs?.get(id);
    if (wasResetByUs === undefined) return new Http2Error("PROTOCOL_ERROR", "HEADERS on a stream older than the last");
    return wasResetByUs ? undefined : new Http2Error("STREAM_CLOSED", "HEADERS on a stream that is closed");
  }
}
