import type { Socket } from "node:net";
import type { Clock } from "../../lib/mod.ts";

/** A connection that has not said anything by then is late. */
const SILENT_MS = 10_000;
/** So is who has waited in queue for so long. */
const WAITING_MS = 30_000;
/** First byte of every TLS handshake record. */
const HANDSHAKE_RECORD = 22;
/**
 * A ClientHello has a few kB even with a session ticket and large key shares, and clients say no more before they are
 * answered: thousands of strangers that wait in queue can hold so much each.
 */
const HELLO_BYTES_MAX = 8 * 1024;
/** Each piece takes some 750 bytes beside its own: of those who send every byte by itself, 6 MB. The smallest packets carry 536. */
const PIECES_MAX = 16;

export interface PendingConnectionOptions {
  readonly clock: Clock;
  /** Only who has spoken waits in queue, so that silent connections hold nobody up. */
  readonly onHello: (connection: PendingConnection) => void;
  /** What it says is no ClientHello. */
  readonly onWrong: (connection: PendingConnection) => void;
  /** It has not spoken in time, or its turn has not come. */
  readonly onLate: (connection: PendingConnection) => void;
}

/** A connection whose handshake has not begun. It is read meanwhile, so that one who leaves does not stay in queue. */
export class PendingConnection {
  readonly socket: Socket;
  /** Kept: a socket that is closed does not know it any more. Empty on a Unix socket. */
  readonly address: string;
  #said: Buffer[] = [];
  #bytes = 0;
  /** Not the socket's own timeout: that begins anew with each byte, and a byte now and then would keep a place for ever. */
  #cancelDeadline: () => void;

  constructor(socket: Socket, { clock, onHello, onWrong, onLate }: PendingConnectionOptions) {
    this.socket = socket;
    this.address = socket.remoteAddress ?? "";
    socket.on("error", () => undefined);
    this.#cancelDeadline = clock.after(SILENT_MS, () => onLate(this));
    socket.on("data", (bytes: Buffer) => {
      const isFirst = this.#said.length === 0;
      this.#said.push(bytes);
      this.#bytes += bytes.length;
      const isTooMuch = this.#bytes > HELLO_BYTES_MAX || this.#said.length > PIECES_MAX;
      if (isTooMuch || (isFirst && bytes[0] !== HANDSHAKE_RECORD)) return onWrong(this);
      if (!isFirst) return;
      this.#cancelDeadline();
      this.#cancelDeadline = clock.after(WAITING_MS, () => onLate(this));
      onHello(this);
    });
  }

  /** It waits no more: its turn has come, or it is gone. */
  leave(): void {
    this.#cancelDeadline();
  }

  /** Gives the socket on as it came, with what was read of it. */
  release(): Socket {
    const { socket } = this;
    this.leave();
    socket.removeAllListeners("data");
    socket.pause();
    const [first] = this.#said;
    // Nearly always one piece, which need not be copied.
    socket.unshift(this.#said.length === 1 ? first : Buffer.concat(this.#said));
    this.#said = [];
    return socket;
  }
}
