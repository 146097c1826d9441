/** What main thread and stream threads tell each other, many entries to a message: bytes are cheap to move, objects are not. */

/** Kinds of entries. The first six are told by a stream thread, the rest to one. */
export const ENTRY = {
  /** A client opened a stream; the bytes are JSON of {@link StreamOpening}. */
  open: 1,
  /** One request. */
  message: 2,
  /** So many bytes of a stream are with the socket: as many more may be sent. */
  credit: 3,
  halfClosed: 4,
  closed: 5,
  /** The thread has ended the stream for what the client sent; the bytes are JSON of {@link StreamEnding}. */
  failed: 6,
  /** A response that is to be sent, under a number. */
  bytes: 7,
  /** The stream is sent the response of this number. */
  send: 8,
  /** The response of this number is not sent any more. */
  forget: 9,
  /** The stream ends; the bytes are JSON of {@link StreamEnding}. */
  end: 10,
  /** The client of the stream speaks xDS. */
  proven: 11,
} as const;

const HEAD_BYTES = 9;
const FIRST_ROOM_BYTES = 16 * 1024;
/** A batch that was larger leaves no room behind. */
const KEPT_ROOM_BYTES = 256 * 1024;

/** Gathers entries: a byte for the kind, four for the key, four for a value, which is the length where bytes follow. */
export class BatchWriter {
  #room = new Uint8Array(FIRST_ROOM_BYTES);
  #view = new DataView(this.#room.buffer);
  #length = 0;

  /** Bytes gathered so far. */
  get length(): number {
    return this.#length;
  }

  add(kind: number, key: number, value = 0): void {
    this.#head(kind, key, value, 0);
  }

  /** Copies `bytes`. */
  addBytes(kind: number, key: number, bytes: Uint8Array): void {
    this.#head(kind, key, bytes.length, bytes.length);
    this.#room.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** What was gathered, in a buffer of its own; the writer is empty then. */
  take(): ArrayBuffer {
    const batch = this.#room.buffer.slice(0, this.#length);
    this.#length = 0;
    if (this.#room.length > KEPT_ROOM_BYTES) this.#grow(FIRST_ROOM_BYTES);
    return batch;
  }

  #head(kind: number, key: number, value: number, following: number): void {
    const needed = this.#length + HEAD_BYTES + following;
    if (needed > this.#room.length) this.#grow(Math.max(needed, this.#room.length * 2));
    this.#room[this.#length] = kind;
    this.#view.setUint32(this.#length + 1, key);
    this.#view.setUint32(this.#length + 5, value);
    this.#length += HEAD_BYTES;
  }

  #grow(bytes: number): void {
    const room = new Uint8Array(bytes);
    room.set(this.#room.subarray(0, this.#length));
    this.#room = room;
    this.#view = new DataView(room.buffer);
  }
}

const NO_BYTES = new Uint8Array();

/** Goes through the entries of a batch; its fields say the one at hand. */
export class BatchReader {
  kind = 0;
  key = 0;
  value = 0;
  /** Within the batch: to be copied by who keeps it. */
  bytes: Uint8Array = NO_BYTES;
  readonly #batch: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(batch: ArrayBuffer) {
    this.#batch = new Uint8Array(batch);
    this.#view = new DataView(batch);
  }

  get length(): number {
    return this.#batch.length;
  }

  /** False: there are no more. */
  next(): boolean {
    if (this.#at >= this.#batch.length) return false;
    this.kind = this.#batch[this.#at] ?? 0;
    this.key = this.#view.getUint32(this.#at + 1);
    this.value = this.#view.getUint32(this.#at + 5);
    this.#at += HEAD_BYTES;
    if (!carriesBytes(this.kind)) return true;
    this.bytes = this.#batch.subarray(this.#at, this.#at + this.value);
    this.#at += this.value;
    return true;
  }
}

function carriesBytes(kind: number): boolean {
  switch (kind) {
    case ENTRY.open:
    case ENTRY.message:
    case ENTRY.failed:
    case ENTRY.bytes:
    case ENTRY.end:
      return true;
    default:
      return false;
  }
}
