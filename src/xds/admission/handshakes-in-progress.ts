import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { Conduct, type Judge } from "./conduct.ts";
import type { PendingConnection } from "./pending-connection.ts";

/** Connections whose handshake was begun. A TLS socket does not tell what it is laid over: the addresses and ports of both ends do. */
export class HandshakesInProgress {
  readonly #judge: Judge;
  /** Those whose handshake is not over. */
  readonly #byEnds = new Map<string, Conduct>();

  constructor(judge: Judge) {
    this.#judge = judge;
  }

  /** To be called before the handshake begins; what the connection does is judged when it is gone. */
  add({ socket, address }: PendingConnection, wasHeldBack: boolean): void {
    const conduct = new Conduct(address, wasHeldBack, this.#judge);
    const ends = endsOf(socket);
    // On a Unix socket there is nobody to tell apart, and nobody is held back.
    if (address === "") return;
    this.#byEnds.set(ends, conduct);
    socket.once("close", () => {
      if (this.#byEnds.get(ends) === conduct) this.#byEnds.delete(ends);
      conduct.end();
    });
  }

  /** The handshake under this socket is over. */
  take(socket: TLSSocket): Conduct {
    const ends = endsOf(socket);
    const conduct = this.#byEnds.get(ends) ?? new Conduct("", false, this.#judge);
    this.#byEnds.delete(ends);
    return conduct;
  }
}

function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}
