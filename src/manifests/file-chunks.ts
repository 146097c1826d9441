import type { FileHandle } from "node:fs/promises";

/** Read or written in one go. */
export const CHUNK_BYTES = 256 * 1024;

/** Bytes of a file, read a chunk at a time: what is asked for lies one after the other. */
export class Window {
  readonly #handle: FileHandle;
  readonly #chunkBytes: number;
  #offset = 0;
  #bytes: Uint8Array = new Uint8Array();

  constructor(handle: FileHandle, chunkBytes = CHUNK_BYTES) {
    this.#handle = handle;
    this.#chunkBytes = chunkBytes;
  }

  /** Throws where the file ends before that. */
  async at(offset: number, bytes: number): Promise<Uint8Array> {
    if (offset < this.#offset || offset + bytes > this.#offset + this.#bytes.length) await this.#move(offset, bytes);
    return this.#bytes.subarray(offset - this.#offset, offset - this.#offset + bytes);
  }

  async #move(offset: number, bytes: number): Promise<void> {
    const buffer = new Uint8Array(Math.max(bytes, this.#chunkBytes));
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await this.#handle.read(buffer, length, buffer.length - length, offset + length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    if (length < bytes) throw new Error(`${bytes} bytes were expected at ${offset}, ${length} are there`);
    this.#offset = offset;
    this.#bytes = buffer.subarray(0, length);
  }
}

/** Gathers bytes and writes them one after the other. */
export class Appender {
  readonly #handle: FileHandle;
  #offset: number;
  #pieces: Uint8Array[] = [];
  #bytes = 0;

  constructor(handle: FileHandle, offset: number) {
    this.#handle = handle;
    this.#offset = offset;
  }

  /** True when it is time to flush. */
  add(piece: Uint8Array): boolean {
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    return this.#bytes >= CHUNK_BYTES;
  }

  async flush(): Promise<void> {
    const bytes = Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#bytes = 0;
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.#handle.write(bytes, done, bytes.length - done, this.#offset);
      done += bytesWritten;
      this.#offset += bytesWritten;
    }
  }
}
