/** What is used of a socket. */
export interface DepartingSocket {
  allowHalfOpen: boolean;
  readonly destroyed: boolean;
  destroySoon(): void;
  once(event: "end", action: () => void): unknown;
  /** What `node:stream` calls to have a stream free what it holds, and what its subclasses are there to override. */
  _destroy(error: Error | null, callback: Freed): void;
}

type Freed = (error?: Error | null) => void;

/** A call of a socket's `_destroy` that was put off. */
interface Unfreed {
  readonly socket: DepartingSocket;
  readonly free: DepartingSocket["_destroy"];
  readonly error: Error | null;
  readonly callback: Freed;
}

/**
 * Connections that are closed in one turn. To free what OpenSSL holds of one takes about 0.1 ms, and its close_notify and its
 * streams nearly as much: thousands at once, as when nodes of a cluster end, would be one turn of a quarter of a second, and
 * half a second when they end with a reset.
 */
const CLOSED_IN_ONE_TURN = 48;

/** Closes connections whose clients have left, in their order, some in each turn. */
export class Departures {
  readonly #later: (action: () => void) => void;
  /** Connections stay in here for some turns; there are never more than are open. */
  #leaving: DepartingSocket[] = [];
  #freeing: Unfreed[] = [];
  #freedInTurn = 0;
  #isScheduled = false;

  /** `later` runs an action in the next turn, once sockets have had theirs. */
  constructor(later: (action: () => void) => void) {
    this.#later = later;
  }

  /**
   * Takes over what Node does in the turn in which a client ends its side: it ends this side too, and closes. What is held is
   * freed in a turn that has not too many of them, however the connection ends: a reset leaves nothing else to put off.
   */
  watch(socket: DepartingSocket): void {
    const free = socket._destroy;
    socket.allowHalfOpen = true;
    socket.once("end", () => {
      this.#leaving.push(socket);
      this.#schedule();
    });
    socket._destroy = (error, callback) => {
      this.#schedule();
      if (this.#freedInTurn++ < CLOSED_IN_ONE_TURN) free.call(socket, error, callback);
      else this.#freeing.push({ socket, free, error, callback });
    };
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#later(this.#closeSome);
  }

  readonly #closeSome = (): void => {
    this.#isScheduled = false;
    const freeing = this.#freeing.splice(0, CLOSED_IN_ONE_TURN);
    this.#freedInTurn = freeing.length;
    for (const { socket, free, error, callback } of freeing) {
      // As `node:stream` does where it calls this itself: what is thrown is the stream's error, and the others still have their turn.
      try {
        free.call(socket, error, callback);
      } catch (thrown) {
        callback(thrown as Error);
      }
    }
    const leaving = this.#leaving.splice(0, CLOSED_IN_ONE_TURN - freeing.length);
    for (const socket of leaving) if (!socket.destroyed) socket.destroySoon();
    if (this.#freedInTurn > 0 || this.#leaving.length > 0) this.#schedule();
  };
}
