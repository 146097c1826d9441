import type { ControlFrameBudget } from "./control-frame-budget.ts";
import type { DataFraming } from "./data-framing.ts";
import { FLAG, FRAME, FRAME_PAYLOAD_BYTES_MAX, frameOf, INITIAL_WINDOW_BYTES } from "./frames.ts";
import { HEADER_TABLE_BYTES } from "./hpack-decoder.ts";
import { encodeHeaders, type HeaderList, NO_DYNAMIC_TABLE } from "./hpack-encoder.ts";
import { defaultPeerSettings, type PeerSettings } from "./settings.ts";

/** What the streams of a connection share on their way to the peer. */
export class ConnectionOutput {
  readonly write: (bytes: Uint8Array) => void;
  readonly framing: DataFraming;
  readonly budget: ControlFrameBudget;
  readonly settings: PeerSettings = defaultPeerSettings();
  /** What the peer takes on the whole connection. */
  window = INITIAL_WINDOW_BYTES;
  #hasSaidNoTable = false;

  constructor(write: (bytes: Uint8Array) => void, framing: DataFraming, budget: ControlFrameBudget) {
    this.write = write;
    this.framing = framing;
    this.budget = budget;
  }

  writeHeaders(id: number, headers: HeaderList, isLast: boolean): void {
    let block = encodeHeaders(headers);
    // A peer that makes the table smaller waits to hear that we know (RFC 7541 section 4.2).
    if (!this.#hasSaidNoTable && this.settings.headerTableBytesMin < HEADER_TABLE_BYTES) {
      block = Buffer.concat([NO_DYNAMIC_TABLE, block]);
      this.#hasSaidNoTable = true;
    }
    let type: number = FRAME.HEADERS;
    for (let at = 0; at === 0 || at < block.length; at += FRAME_PAYLOAD_BYTES_MAX) {
      const part = block.subarray(at, at + FRAME_PAYLOAD_BYTES_MAX);
      const endHeaders = at + part.length === block.length ? FLAG.END_HEADERS : 0;
      const endStream = isLast && at === 0 ? FLAG.END_STREAM : 0;
      this.write(frameOf(type, endHeaders | endStream, id, part));
      type = FRAME.CONTINUATION;
    }
  }
}
