import type { Request } from "../codec/request-reading.ts";

/** One more has all of them answered at once. */
const REQUESTS_MAX = 8;
/** Only the first of them may be larger. */
const BYTES_MAX = 64 * 1024;

/** Requests of one stream that wait for a later turn, in their order. */
export class DeferredRequests {
  readonly #requests: Request[] = [];

  get isEmpty(): boolean {
    return this.#requests.length === 0;
  }

  /** False: there is no room for a message of so many bytes. */
  add(request: Request, bytes: number): boolean {
    const waiting = this.#requests.length;
    if (waiting > 0 && (waiting >= REQUESTS_MAX || bytes > BYTES_MAX)) return false;
    this.#requests.push(request);
    return true;
  }

  take(): Request | undefined {
    return this.#requests.shift();
  }
}
