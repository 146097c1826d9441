/** What is used of a socket. */
export interface DepartingSocket {
  allowHalfOpen: boolean;
  readonly destroyed: boolean;
  destroySoon(): void;
  once(event: "end", action: () => void): unknown;
  destroy(error?: Error): unknown;
}

/** The end of what came on a connection, which its socket has not heard of yet. */
interface Untold {
  readonly socket: DepartingSocket;
  readonly tell: Tell;
}

type Tell = (this: DepartingSocket, chunk: null) => unknown;

/** A call of a socket's `destroy` that was put off. */
interface Undestroyed {
  readonly destroy: DepartingSocket["destroy"];
  readonly error: Error | undefined;
}

/**
 * Connections that are closed in one turn. To free what OpenSSL holds of one takes about 0.1 ms, and its close_notify and its
 * streams nearly as much: thousands at once, as when nodes of a cluster end, would be one turn of a quarter of a second, and
 * half a second when they end with a reset.
 */
const CLOSED_IN_ONE_TURN = 48;

/**
 * Closes connections whose clients have left, in their order, some in each turn. The runtime hears from the system in one turn
 * of all that have left, and that alone is most of what the turn may take: what can wait does.
 */
export class ConnectionTeardown {
  readonly #later: (action: () => void) => void;
  /** Connections stay in here for some turns; there are never more than are open. */
  #ended: Untold[] = [];
  #leaving: DepartingSocket[] = [];
  readonly #destroying = new Map<DepartingSocket, Undestroyed>();
  #destroyedInTurn = 0;
  #isScheduled = false;

  /** `later` runs an action in the next turn, once sockets have had theirs. */
  constructor(later: (action: () => void) => void) {
    this.#later = later;
  }

  /**
   * Takes over what Node does in the turn in which a client ends its side: it ends this side too, and closes. In a turn that
   * has too many of them, the rest is destroyed in later ones, however they end: a reset leaves nothing else to put off.
   */
  watch(socket: DepartingSocket): void {
    const { destroy } = socket;
    socket.allowHalfOpen = true;
    socket.once("end", () => {
      this.#leaving.push(socket);
      this.#schedule();
    });
    socket.destroy = (error) => {
      this.#schedule();
      if (this.#destroyedInTurn++ < CLOSED_IN_ONE_TURN) return destroy.call(socket, error);
      if (!this.#destroying.has(socket)) this.#destroying.set(socket, { destroy, error });
      return socket;
    };
  }

  /** Nothing more will come on this connection. Its socket is told in a later turn, by `tell`, as `push` of a stream is. */
  readonly end = (socket: DepartingSocket, tell: Tell): void => {
    this.#ended.push({ socket, tell });
    this.#schedule();
  };

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#later(this.#closeSome);
  }

  readonly #closeSome = (): void => {
    this.#isScheduled = false;
    this.#destroyedInTurn = 0;
    for (const [socket, { destroy, error }] of this.#destroying) {
      if (this.#destroyedInTurn++ === CLOSED_IN_ONE_TURN) break;
      this.#destroying.delete(socket);
      destroy.call(socket, error);
    }
    const leaving = this.#leaving.splice(0, Math.max(0, CLOSED_IN_ONE_TURN - this.#destroyedInTurn));
    for (const socket of leaving) if (!socket.destroyed) socket.destroySoon();
    const ended = this.#ended.splice(0, CLOSED_IN_ONE_TURN);
    for (const { socket, tell } of ended) tell.call(socket, null);
    if (this.#destroyedInTurn + leaving.length + ended.length > 0 || this.#leaving.length > 0) this.#schedule();
  };
}
