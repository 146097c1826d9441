import type { Socket } from "node:net";

/** A connection that has not said anything by then is closed. */
const SILENT_MS = 10_000;
/** Who has waited for so long is not waiting any more. */
const WAITING_MS = 30_000;
/** First byte of every TLS handshake record. */
const HANDSHAKE_RECORD = 22;
/**
 * A ClientHello has a few kB even with a session ticket and large key shares, and clients say no more before they are
 * answered: thousands of strangers that wait in line can hold so much each.
 */
const HELLO_BYTES_MAX = 8 * 1024;
/** Each piece takes some 750 bytes beside its own: of those who send every byte by itself, 6 MB. The smallest packets carry 536. */
const PIECES_MAX = 16;

/** A connection whose handshake has not begun. It is read meanwhile, so that one who leaves does not stay in line. */
export class Caller {
  readonly socket: Socket;
  #said: Buffer[] = [];
  #bytes = 0;

  /** Only who has spoken waits in line, so that silent connections hold nobody up. `onWrong`: what it says is no ClientHello. */
  constructor(socket: Socket, onHello: (caller: Caller) => void, onWrong: () => void) {
    this.socket = socket;
    socket.on("error", () => undefined);
    socket.setTimeout(SILENT_MS, () => socket.destroy());
    socket.on("data", (bytes: Buffer) => {
      const isFirst = this.#said.length === 0;
      this.#said.push(bytes);
      this.#bytes += bytes.length;
      const isTooMuch = this.#bytes > HELLO_BYTES_MAX || this.#said.length > PIECES_MAX;
      if (isTooMuch || (isFirst && bytes[0] !== HANDSHAKE_RECORD)) return onWrong();
      if (!isFirst) return;
      socket.setTimeout(WAITING_MS);
      onHello(this);
    });
  }

  /** Gives the socket on as it came, with what was read of it. */
  release(): Socket {
    const { socket } = this;
    socket.setTimeout(0);
    socket.removeAllListeners("data");
    socket.pause();
    socket.unshift(Buffer.concat(this.#said));
    this.#said = [];
    return socket;
  }
}
