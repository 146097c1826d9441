import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Caller } from "./caller.ts";
import { Conduct, type Judge } from "./conduct.ts";

/** Connections whose handshake was begun. A TLS socket does not tell what it is laid over: its peer's address and port do. */
export class BegunConnections {
  readonly #judge: Judge;
  /** Those whose handshake is not over. */
  readonly #byPeer = new Map<string, Conduct>();

  constructor(judge: Judge) {
    this.#judge = judge;
  }

  /** To be called before the handshake begins; what the connection does is judged when it is gone. */
  add({ socket, address }: Caller, wasHeldBack: boolean): void {
    const conduct = new Conduct(address, wasHeldBack, this.#judge);
    const peer = peerOf(socket);
    // On a Unix socket there is nobody to tell apart, and nobody is held back.
    if (address === "") return;
    this.#byPeer.set(peer, conduct);
    socket.once("close", () => {
      if (this.#byPeer.get(peer) === conduct) this.#byPeer.delete(peer);
      conduct.end();
    });
  }

  /** The handshake under this socket is over. */
  take(socket: TLSSocket): Conduct {
    const peer = peerOf(socket);
    const conduct = this.#byPeer.get(peer) ?? new Conduct("", false, this.#judge);
    this.#byPeer.delete(peer);
    return conduct;
  }
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
