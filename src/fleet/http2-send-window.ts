import { FRAME, FRAME_HEADER_BYTES, frame, INITIAL_WINDOW, STREAM } from "./http2-frames.ts";
import { PeerError } from "./peer-error.ts";

const UNSENT_FRAMES_MAX = 4096;
const WINDOW_MAX = 0x7fff_ffff;

/** DATA frames of the one stream, sent as soon as the peer takes them (RFC 9113, section 6.9). */
export class SendWindow {
  readonly #write: (bytes: Buffer) => void;
  #connection = INITIAL_WINDOW;
  #stream = INITIAL_WINDOW;
  #initial = INITIAL_WINDOW;
  #unsent: Buffer[] = [];

  constructor(write: (bytes: Buffer) => void) {
    this.#write = write;
  }

  /** Keeps the frame by reference. Throws `PeerError` when too much waits. */
  send(bytes: Buffer): void {
    const length = bytes.length - FRAME_HEADER_BYTES;
    if (this.#unsent.length === 0 && length <= this.#connection && length <= this.#stream) {
      this.#connection -= length;
      this.#stream -= length;
      this.#write(bytes);
      return;
    }
    if (this.#unsent.length >= UNSENT_FRAMES_MAX) {
      throw new PeerError(`the peer opens no window: ${UNSENT_FRAMES_MAX} frames wait to be sent`);
    }
    this.#unsent.push(bytes);
    this.pump();
  }

  /** SETTINGS_INITIAL_WINDOW_SIZE, which holds for the stream that is open as well. To be followed by `pump`. */
  setInitial(bytes: number): void {
    if (bytes > WINDOW_MAX) throw new PeerError(`an initial window of ${bytes} bytes`);
    this.#stream += bytes - this.#initial;
    this.#initial = bytes;
  }

  /** WINDOW_UPDATE of the connection (stream 0) or a stream. */
  open(stream: number, increment: number): void {
    if (increment === 0) throw new PeerError("WINDOW_UPDATE of 0 bytes");
    if (stream === 0) this.#connection += increment;
    else if (stream === STREAM) this.#stream += increment;
    if (Math.max(this.#connection, this.#stream) > WINDOW_MAX) {
      throw new PeerError("WINDOW_UPDATE beyond 2^31 - 1 bytes");
    }
    this.pump();
  }

  pump(): void {
    for (let first = this.#unsent[0]; first !== undefined; first = this.#unsent[0]) {
      const length = first.length - FRAME_HEADER_BYTES;
      const window = Math.min(this.#connection, this.#stream);
      if (window <= 0) return;
      const count = Math.min(length, window);
      const payload = first.subarray(FRAME_HEADER_BYTES);
      this.#connection -= count;
      this.#stream -= count;
      if (count === length) {
        this.#unsent.shift();
        this.#write(first);
      } else {
        this.#unsent[0] = frame(FRAME.data, 0, STREAM, payload.subarray(count));
        this.#write(frame(FRAME.data, 0, STREAM, payload.subarray(0, count)));
      }
    }
  }
}
