/** Who draws the consequences of what became of connections. */
export interface Judge {
  /** The client speaks xDS. At most once for each connection. */
  proven(conduct: Conduct): void;
  /** A connection that was not proven came to nothing, by its client's fault. */
  failed(conduct: Conduct, cause: string): void;
  /** A connection that was proven is gone. */
  left(conduct: Conduct): void;
}

/**
 * What a connection was worth, from its handshake on. It came to nothing unless a request was read on it, or if the client
 * then broke a rule; it has proven itself once its client has answered a response. What lies in between is nobody's fault.
 */
export class Conduct {
  readonly address: string;
  /** Its handshake was one of those that are held back. */
  readonly wasHeldBack: boolean;
  readonly #judge: Judge;
  #fault: string | undefined = "the TLS handshake failed";
  #isBroken = false;
  #isProven = false;
  #isOver = false;

  constructor(address: string, wasHeldBack: boolean, judge: Judge) {
    this.address = address;
    this.wasHeldBack = wasHeldBack;
    this.#judge = judge;
  }

  /** The handshake is over, and the client's certificate is one of ours. */
  secured(): void {
    this.#fault = "no request came";
  }

  /** A whole request was read, or we have failed the client before: what is missing is not its fault. */
  excused(): void {
    if (!this.#isBroken) this.#fault = undefined;
  }

  /** The client broke a rule of HTTP/2, gRPC or xDS, or is no proxy of this mesh. */
  broke(cause: string): void {
    this.#isBroken = true;
    this.#fault = cause;
  }

  /** The client has acknowledged or refused a response. What it does wrong after that has other bounds. */
  proven(): void {
    // What came before the end may be taken in after it: a proxy that is noted then would never leave.
    if (this.#isProven || this.#isBroken || this.#isOver) return;
    this.#isProven = true;
    this.#judge.proven(this);
  }

  /** The connection is gone. */
  end(): void {
    this.#isOver = true;
    if (this.#isProven) this.#judge.left(this);
    else if (this.#fault !== undefined) this.#judge.failed(this, this.#fault);
  }
}
