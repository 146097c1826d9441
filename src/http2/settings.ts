import { Http2Error, protocolError } from "./errors.ts";
import {
  FRAME,
  FRAME_PAYLOAD_BYTES_MAX,
  frameOf,
  INITIAL_WINDOW_BYTES,
  readUint32,
  WINDOW_BYTES_MAX,
} from "./frames.ts";

const SETTING = {
  HEADER_TABLE_SIZE: 0x1,
  ENABLE_PUSH: 0x2,
  MAX_CONCURRENT_STREAMS: 0x3,
  INITIAL_WINDOW_SIZE: 0x4,
  MAX_FRAME_SIZE: 0x5,
  MAX_HEADER_LIST_SIZE: 0x6,
} as const;

const ENTRY_BYTES = 6;
/** More in one frame is a flood: six are defined. */
const ENTRIES_MAX = 32;

/** The settings of a peer that a server without push acts on. */
export interface PeerSettings {
  initialWindowBytes: number;
  /** The smallest that the peer ever allowed for the table that our header blocks would use. */
  headerTableBytesMin: number;
}

/** What holds before the peer has said anything (RFC 9113 section 6.5.2). */
export function defaultPeerSettings(): PeerSettings {
  return { initialWindowBytes: INITIAL_WINDOW_BYTES, headerTableBytesMin: 4096 };
}

/** Takes the payload of a SETTINGS frame into `settings`, entry after entry; says what is wrong with it. */
export function applyPeerSettings(
  settings: PeerSettings,
  bytes: Uint8Array,
  start: number,
  end: number,
): Http2Error | undefined {
  if ((end - start) % ENTRY_BYTES !== 0) {
    return new Http2Error("FRAME_SIZE_ERROR", `SETTINGS of ${end - start} bytes is not a multiple of 6`);
  }
  if (end - start > ENTRIES_MAX * ENTRY_BYTES) {
    return new Http2Error("ENHANCE_YOUR_CALM", `SETTINGS has more than ${ENTRIES_MAX} entries`);
  }
  for (let at = start; at < end; at += ENTRY_BYTES) {
    const id = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
    const value = readUint32(bytes, at + 2);
    if (id === SETTING.INITIAL_WINDOW_SIZE) {
      if (value > WINDOW_BYTES_MAX) {
        return new Http2Error("FLOW_CONTROL_ERROR", `SETTINGS_INITIAL_WINDOW_SIZE ${value} is above 2^31-1`);
      }
      settings.initialWindowBytes = value;
    } else if (id === SETTING.HEADER_TABLE_SIZE) {
      settings.headerTableBytesMin = Math.min(settings.headerTableBytesMin, value);
    } else if (id === SETTING.ENABLE_PUSH && value > 1) {
      return protocolError(`SETTINGS_ENABLE_PUSH ${value} is neither 0 nor 1`);
    } else if (id === SETTING.MAX_FRAME_SIZE && (value < FRAME_PAYLOAD_BYTES_MAX || value > 0xff_ffff)) {
      return protocolError(`SETTINGS_MAX_FRAME_SIZE ${value} is not within 2^14..2^24-1`);
    }
  }
  return undefined;
}

/** Our own SETTINGS frame. What is not in it keeps its default. */
export function serverSettingsFrame(own: {
  readonly concurrentStreams: number;
  readonly streamWindowBytes: number;
  readonly headerListBytes: number;
}): Buffer {
  const entries: readonly (readonly [number, number])[] = [
    [SETTING.MAX_CONCURRENT_STREAMS, own.concurrentStreams],
    [SETTING.INITIAL_WINDOW_SIZE, own.streamWindowBytes],
    [SETTING.MAX_HEADER_LIST_SIZE, own.headerListBytes],
  ];
  const payload = Buffer.alloc(entries.length * ENTRY_BYTES);
  entries.forEach(([id, value], index) => {
    payload.writeUInt16BE(id, index * ENTRY_BYTES);
    payload.writeUInt32BE(value, index * ENTRY_BYTES + 2);
  });
  return frameOf(FRAME.SETTINGS, 0, 0, payload);
}
