import type { TLSSocket } from "node:tls";

/**
 * The most that is given to TLS at once, and only after it took what it got before: node:tls encrypts a whole write in one
 * go, and the memory for that stays with the process, for each connection. Encrypted, this still fits into the 16 KiB that
 * every connection has for it anyway; one byte more would take 32 KiB beside them for good.
 */
const PIECE_BYTES = 16 * 1024 - 64;
/** From here on a stream is asked to wait. */
const ENOUGH_BYTES = 128 * 1024;
/** So many small writes without the peer reading any: it sends what has to be answered and does not read the answers. */
const CHUNKS_MAX = 20_000;

/**
 * Has the writers of a server give what was written in one go to their sockets at its end: all of them by one microtask,
 * for one each costs more than the write itself does in JavaScript.
 */
export class WriteTurn {
  #writers: SocketWriter[] = [];

  add(writer: SocketWriter): void {
    if (this.#writers.push(writer) === 1) queueMicrotask(this.#flush);
  }

  readonly #flush = (): void => {
    const writers = this.#writers;
    this.#writers = [];
    for (let n = 0; n < writers.length; n++) writers[n]?.flush();
  };
}

const NOTHING: Uint8Array[] = [];

/** Gathers what is written to a connection in one turn, and gives it to the socket in pieces. */
export class SocketWriter {
  readonly #socket: TLSSocket;
  readonly #turn: WriteTurn;
  readonly #onRoom: () => void;
  #onEmpty: (() => void) | undefined;
  #chunks = NOTHING;
  /** The first chunk that is not out, and how much of it is. */
  #first = 0;
  #sentOfFirst = 0;
  #bytes = 0;
  #isScheduled = false;
  #isWriting = false;
  #isAsked = false;

  /** `onRoom` is called when everything is out after {@link hasRoom} was false. */
  constructor(socket: TLSSocket, turn: WriteTurn, onRoom: () => void) {
    this.#socket = socket;
    this.#turn = turn;
    this.#onRoom = onRoom;
  }

  /** Calls `action` once when everything is out, at once when it is; a later one takes the place of the first. */
  whenEmpty(action: () => void): void {
    if (this.#bytes === 0 && !this.#isWriting) action();
    else this.#onEmpty = action;
  }

  /** False: enough is under way. */
  hasRoom(): boolean {
    if (this.#bytes < ENOUGH_BYTES) return true;
    this.#isAsked = true;
    return false;
  }

  /** Keeps `bytes` by reference. */
  readonly write = (bytes: Uint8Array): void => {
    // An array that begins with one element has room for that one; one that grows begins with room for 17.
    if (this.#chunks === NOTHING) this.#chunks = [bytes];
    else if (this.#chunks.push(bytes) - this.#first > CHUNKS_MAX) {
      this.#socket.destroy();
      this.#drop();
      return;
    }
    this.#bytes += bytes.length;
    if (this.#isScheduled || this.#isWriting) return;
    this.#isScheduled = true;
    this.#turn.add(this);
  };

  #drop(): void {
    this.#chunks = NOTHING;
    this.#first = 0;
    this.#sentOfFirst = 0;
    this.#bytes = 0;
  }

  /** To be called at the end of the turn in which something was written. */
  flush(): void {
    this.#isScheduled = false;
    if (this.#isWriting || this.#bytes === 0) return;
    if (!this.#socket.writable) {
      this.#drop();
      return;
    }
    const piece = this.#nextPiece();
    const isLast = this.#bytes === 0 && !this.#isAsked && this.#onEmpty === undefined;
    if (isLast && this.#socket.writableLength === 0) {
      // Nobody waits for it: what is written before it is out will be.
      this.#socket.write(piece);
      return;
    }
    this.#isWriting = true;
    this.#socket.write(piece, this.#written);
  }

  readonly #written = (error?: Error | null): void => {
    this.#isWriting = false;
    if (error) this.#drop();
    if (this.#bytes > 0) {
      this.flush();
      return;
    }
    const onEmpty = this.#onEmpty;
    this.#onEmpty = undefined;
    onEmpty?.();
    if (!this.#isAsked) return;
    this.#isAsked = false;
    this.#onRoom();
  };

  #nextPiece(): Uint8Array {
    const first = this.#chunks[this.#first] as Uint8Array;
    const left = first.length - this.#sentOfFirst;
    if (this.#first + 1 === this.#chunks.length || left >= PIECE_BYTES) {
      return this.#take(Math.min(left, PIECE_BYTES));
    }
    const parts: Uint8Array[] = [];
    let length = 0;
    while (this.#first < this.#chunks.length && length < PIECE_BYTES) {
      const next = this.#chunks[this.#first] as Uint8Array;
      const part = this.#take(Math.min(next.length - this.#sentOfFirst, PIECE_BYTES - length));
      parts.push(part);
      length += part.length;
    }
    return Buffer.concat(parts, length);
  }

  #take(length: number): Uint8Array {
    const chunk = this.#chunks[this.#first] as Uint8Array;
    const from = this.#sentOfFirst;
    this.#bytes -= length;
    if (from + length < chunk.length) {
      this.#sentOfFirst += length;
      return chunk.subarray(from, from + length);
    }
    this.#sentOfFirst = 0;
    if (++this.#first === this.#chunks.length) {
      this.#chunks = NOTHING;
      this.#first = 0;
    }
    return from === 0 ? chunk : chunk.subarray(from);
  }
}
