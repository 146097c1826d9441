/** What is used of a socket. */
export interface DepartingSocket {
  allowHalfOpen: boolean;
  readonly destroyed: boolean;
  destroySoon(): void;
  once(event: "end", action: () => void): unknown;
}

/**
 * Connections that are closed in one turn. To free what OpenSSL holds of one takes about 0.1 ms, and its close_notify and its
 * streams nearly as much: thousands at once, as when nodes of a cluster end, would be one turn of a quarter of a second.
 */
const CLOSED_IN_ONE_TURN = 48;

/** Closes connections whose clients have left, in their order, some in each turn. */
export class Departures {
  readonly #later: (action: () => void) => void;
  /** Connections stay in here for some turns; there are never more than are open. */
  #waiting: DepartingSocket[] = [];
  #isScheduled = false;

  /** `later` runs an action in the next turn, once sockets have had theirs. */
  constructor(later: (action: () => void) => void) {
    this.#later = later;
  }

  /** Takes over what Node does in the turn in which a client ends its side: it ends this side too, and closes. */
  watch(socket: DepartingSocket): void {
    socket.allowHalfOpen = true;
    socket.once("end", () => {
      this.#waiting.push(socket);
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#later(this.#closeSome);
  }

  readonly #closeSome = (): void => {
    this.#isScheduled = false;
    for (const socket of this.#waiting.splice(0, CLOSED_IN_ONE_TURN)) if (!socket.destroyed) socket.destroySoon();
    if (this.#waiting.length > 0) this.#schedule();
  };
}
