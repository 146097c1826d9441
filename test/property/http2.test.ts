import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  block,
  driveConnection,
  driveFromTheStart,
  END_HEADERS,
  END_STREAM,
  frame,
  GET,
  numberFrame,
  PADDED,
  PREFACE,
  PRIORITY,
  settings,
} from "../http2/driven-connection.ts";

const streamId = fc.constantFrom(0, 1, 1, 1, 2, 3, 5, 7, 0x7fff_ffff);
const anyFlags = fc.constantFrom(0, 0, END_STREAM, END_HEADERS, END_HEADERS | END_STREAM, PADDED, PRIORITY, 0xff);
const someBytes = fc.uint8Array({ maxLength: 300 });

/** Frames that make sense for the most part, and some that nothing can be made of. */
const anyFrame = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(streamId, fc.constantFrom(END_HEADERS, END_HEADERS | END_STREAM, 0)).map(headers) },
  {
    weight: 3,
    arbitrary: fc.tuple(anyFlags, streamId, someBytes).map(([f, id, b]) => frame("CONTINUATION", f, id, b)),
  },
  { weight: 8, arbitrary: fc.tuple(fc.constantFrom(0, 0, END_STREAM, PADDED), streamId, someBytes).map(data) },
  {
    weight: 2,
    arbitrary: fc.tuple(streamId, fc.nat(0x7fff_ffff)).map(([id, by]) => numberFrame("WINDOW_UPDATE", id, by)),
  },
  { weight: 1, arbitrary: streamId.map((id) => numberFrame("RST_STREAM", id, 8)) },
  { weight: 2, arbitrary: fc.tuple(fc.nat(6), fc.nat(70_000)).map((pair) => settings(pair)) },
  { weight: 2, arbitrary: fc.uint8Array({ minLength: 8, maxLength: 8 }).map((b) => frame("PING", 0, 0, b)) },
  { weight: 1, arbitrary: fc.tuple(fc.nat(255), anyFlags, streamId, someBytes).map((f) => frame(...f)) },
  { weight: 1, arbitrary: someBytes.map((bytes) => Buffer.from(bytes)) },
);

function headers([id, flags]: [number, number]): Buffer {
  const indexed = Buffer.from([0x40, 1, 0x78, 1, 0x31]);
  return frame("HEADERS", flags, id, Buffer.concat([block(GET), indexed, Buffer.of(0x80 | 62)]));
}

function data([flags, id, bytes]: [number, number, Uint8Array]): Buffer {
  return frame("DATA", flags, id, bytes);
}

function isBalanced(events: readonly string[]): boolean {
  const opened = events.filter((event) => event.startsWith("GET")).map((event) => event.replace(/.* on /, ""));
  const closed = events.filter((event) => event.startsWith("closed")).map((event) => event.replace("closed ", ""));
  return opened.sort().join() === closed.sort().join();
}

describe("a connection, for any input", () => {
  test("means the same by the same bytes, wherever they are cut", () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 30 }), fc.array(fc.integer({ min: 1, max: 40 })), (frames, cuts) => {
        const bytes = Buffer.concat([PREFACE, settings(), ...frames]);
        const whole = driveFromTheStart();
        whole.connection.receive(bytes);
        const cut = driveFromTheStart();
        for (let at = 0, index = 0; at < bytes.length; index++) {
          const length = cuts[index % (cuts.length || 1)] ?? 1;
          cut.connection.receive(bytes.subarray(at, at + length));
          at += length;
        }
        expect(cut.written()).toEqual(whole.written());
        expect(cut.told()).toEqual(whole.told());
      }),
    );
  });

  test("never throws, answers little, and ends each stream that it opened once", () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 200, size: "max" }), (frames) => {
        const driven = driveConnection({ controlFrames: { burst: 100, perSecond: 1 } });
        for (const bytes of frames) driven.connection.receive(bytes);
        driven.connection.close();
        expect(driven.connection.streamCount).toBe(0);
        expect(driven.writtenBytes).toBeLessThan(100 * 30);
        expect(isBalanced(driven.told())).toBe(true);
      }),
    );
  });

  test("sends every byte, and never beyond the windows of its peer", () => {
    const size = fc.integer({ min: 0, max: 40_000 });
    const action = fc.oneof(
      fc.record({ kind: fc.constant("send" as const), id: fc.constantFrom(1, 3, 5), size }),
      fc.record({ kind: fc.constant("grant" as const), id: fc.constantFrom(0, 1, 3, 5), size }),
      fc.record({ kind: fc.constant("initial" as const), size }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60, size: "max" }), (actions) => {
        const peer = new Peer();
        for (const one of actions) {
          if (one.kind === "send") peer.send(one.id, one.size);
          else if (one.kind === "grant") peer.grant(one.id, one.size);
          else peer.changeInitial(one.size);
        }
        peer.changeInitial(1_000_000);
        peer.grant(0, 100_000_000);
        for (const id of [1, 3, 5]) peer.grant(id, 100_000_000);
        expect(peer.received).toEqual(peer.sent);
      }),
    );
  });
});

/** A client that keeps its own account of windows, and stops everything when one is overrun. */
class Peer {
  readonly sent = new Map<number, number>();
  readonly received = new Map<number, number>();
  readonly #driven = driveConnection({ controlFrames: { burst: 10_000, perSecond: 1 } });
  readonly #windows = new Map([0, 1, 3, 5].map((id) => [id, 65_535]));
  #initial = 65_535;

  constructor() {
    for (const id of [1, 3, 5]) {
      this.#driven.receive(headers([id, END_HEADERS]));
      this.#driven.stream(id).respond([[":status", "200"]]);
      this.#add(this.sent, id, 0);
      this.#add(this.received, id, 0);
    }
    this.#driven.written();
  }

  send(id: number, size: number): void {
    this.#add(this.sent, id, size);
    this.#driven.stream(id).sendData(Buffer.alloc(size));
    this.#account(this.#driven.written());
  }

  grant(id: number, size: number): void {
    if (size === 0) return;
    this.#add(this.#windows, id, size);
    this.#account(this.#driven.receive(numberFrame("WINDOW_UPDATE", id, size)));
  }

  changeInitial(size: number): void {
    for (const id of [1, 3, 5]) this.#add(this.#windows, id, size - this.#initial);
    this.#initial = size;
    this.#account(this.#driven.receive(settings([4, size])));
  }

  #account(lines: readonly string[]): void {
    for (const line of lines) {
      const [, id, bytes] = (/^DATA (\d+) (\d+) bytes$/.exec(line) ?? []).map(Number);
      if (id === undefined || bytes === undefined) continue;
      this.#add(this.received, id, bytes);
      for (const window of [0, id]) {
        this.#add(this.#windows, window, -bytes);
        expect(this.#windows.get(window)).toBeGreaterThanOrEqual(0);
      }
    }
  }

  #add(counts: Map<number, number>, id: number, by: number): void {
    counts.set(id, (counts.get(id) ?? 0) + by);
  }
}
