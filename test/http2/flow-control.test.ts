import { describe, expect, test } from "vitest";
import { DataFraming } from "../../src/http2/mod.ts";
import {
  driveConnection,
  driveFromTheStart,
  END_STREAM,
  frame,
  numberFrame,
  open,
  PREFACE,
  settings,
} from "./driven-connection.ts";

const OK = [[":status", "200"]] as const;

/** A connection with stream 1 responded to, whose client allows `window` bytes on each stream. */
function responding(window: number) {
  const driven = driveConnection();
  driven.receive(settings([4, window]), open(1));
  driven.stream(1).respond(OK);
  driven.written();
  driven.told();
  return driven;
}

describe("what we send", () => {
  test("waits for the stream's window, goes out as it opens, and the sender is told when all is out", () => {
    const driven = responding(4);
    expect(driven.stream(1).sendData(Buffer.from("abcdefghij"))).toBe(false);
    expect(driven.written()).toEqual(["DATA 1 4 bytes"]);
    expect(driven.receive(numberFrame("WINDOW_UPDATE", 1, 5))).toEqual(["DATA 1 5 bytes"]);
    expect(driven.told()).toEqual([]);
    expect(driven.receive(numberFrame("WINDOW_UPDATE", 1, 5))).toEqual(["DATA 1 1 bytes"]);
    expect(driven.told()).toEqual(["drained 1"]);
    expect(driven.stream(1).sendData(Buffer.from("abcd"))).toBe(true);
    expect(driven.stream(1).sendData(Buffer.from("e"))).toBe(false);
  });

  test("waits for the connection's window, which all streams share", () => {
    const driven = responding(1_000_000);
    driven.receive(open(3));
    driven.stream(3).respond(OK);
    driven.written();
    expect(driven.stream(1).sendData(Buffer.alloc(65_000))).toBe(true);
    expect(driven.stream(3).sendData(Buffer.alloc(1000))).toBe(false);
    driven.written();
    expect(driven.receive(numberFrame("WINDOW_UPDATE", 3, 1000))).toEqual([]);
    expect(driven.receive(numberFrame("WINDOW_UPDATE", 0, 1000))).toEqual(["DATA 3 465 bytes"]);
    expect(driven.told()).toEqual(["GET /a on 3", "drained 3"]);
  });

  test("follows a window that SETTINGS make smaller than what is out, and larger again", () => {
    const driven = responding(10);
    expect(driven.stream(1).sendData(Buffer.alloc(10))).toBe(true);
    driven.receive(settings([4, 0]));
    expect(driven.stream(1).sendData(Buffer.alloc(5))).toBe(false);
    driven.written();
    expect(driven.receive(numberFrame("WINDOW_UPDATE", 1, 10))).toEqual([]);
    expect(driven.receive(settings([4, 3]))).toEqual(["SETTINGS ACK", "DATA 1 3 bytes"]);
  });

  test("is followed by trailers when all of it is out", () => {
    const driven = responding(3);
    driven.stream(1).sendData(Buffer.from("abcd"));
    driven.stream(1).trailers([["grpc-status", "0"]]);
    driven.written();
    expect(driven.receive(numberFrame("WINDOW_UPDATE", 1, 100))).toEqual([
      "DATA 1 1 bytes",
      "HEADERS 1 END_STREAM",
      "RST_STREAM 1 NO_ERROR",
    ]);
    expect(driven.told()).toEqual(["closed 1"]);
  });

  test("keeps its order, even if it is sent while the connection's window opens", () => {
    const driven = responding(1_000_000);
    driven.receive(open(3));
    driven.stream(3).respond(OK);
    driven.stream(1).sendData(Buffer.alloc(65_535 + 10));
    driven.stream(3).sendData(Buffer.alloc(20));
    driven.written();
    driven.whenDrained = (id) => void (id === 1 && driven.stream(3).sendData(Buffer.alloc(30)));
    expect(driven.receive(numberFrame("WINDOW_UPDATE", 0, 1000))).toEqual([
      "DATA 1 10 bytes",
      "DATA 3 20 bytes",
      "DATA 3 30 bytes",
    ]);
  });

  test("is dropped when the stream is reset", () => {
    const driven = responding(1);
    driven.stream(1).sendData(Buffer.from("abcd"));
    driven.written();
    expect(driven.receive(numberFrame("RST_STREAM", 1, 8), numberFrame("WINDOW_UPDATE", 1, 100))).toEqual([]);
    expect(driven.told()).toEqual(["closed 1"]);
  });

  test("is cut into frames of 16 KiB", () => {
    const driven = responding(1_000_000);
    driven.receive(open(3));
    driven.stream(3).respond(OK);
    driven.written();
    const frames = (id: number) => [`DATA ${id} 16384 bytes`, `DATA ${id} 3616 bytes`];
    for (const id of [1, 3]) {
      expect(driven.stream(id).sendData(Buffer.alloc(20_000))).toBe(true);
      expect(driven.written()).toEqual(frames(id));
    }
  });

  test("is framed once for the first streams of all connections", () => {
    const framing = new DataFraming();
    const written: Uint8Array[] = [];
    const message = Buffer.from("to everybody");
    for (let count = 0; count < 3; count++) framing.write(message, 1, (bytes) => void written.push(bytes));
    expect(new Set(written).size).toBe(1);
    expect(Buffer.from(written[0] as Uint8Array).toString("latin1")).toBe("\0\0\x0c\0\0\0\0\0\x01to everybody");
  });
});

describe("what a client sends", () => {
  const limits = { streamWindowBytes: 70_000, connectionWindowBytes: 100_000 };
  const data = (id: number, bytes: number) => frame("DATA", 0, id, Buffer.alloc(bytes));

  test("is taken note of only when half of a window is used, with its padding", () => {
    const driven = driveConnection(limits);
    driven.receive(open(1));
    for (let count = 0; count < 3; count++) expect(driven.receive(data(1, 10_000))).toEqual([]);
    const padded = frame("DATA", 8, 1, Buffer.concat([Buffer.of(200), Buffer.alloc(4_999)]));
    expect(driven.receive(padded)).toEqual(["WINDOW_UPDATE 1 35000"]);
    expect(driven.receive(data(1, 14_999))).toEqual([]);
    expect(driven.receive(data(1, 1))).toEqual(["WINDOW_UPDATE 50000"]);
  });

  test("frees the connection's window on streams that are over, too", () => {
    const driven = driveConnection(limits);
    driven.receive(open(1));
    driven.stream(1).reset("CANCEL");
    driven.written();
    expect(Array.from({ length: 5 }, () => driven.receive(data(1, 10_000))).flat()).toEqual(["WINDOW_UPDATE 50000"]);
  });

  test("brings no announcement for a stream with its last frame", () => {
    const driven = driveFromTheStart({ streamWindowBytes: 65_535, connectionWindowBytes: 100_000 });
    driven.receive(PREFACE, settings(), open(1));
    const last = frame("DATA", END_STREAM, 1, Buffer.alloc(3_000));
    expect(driven.receive(data(1, 16_000), data(1, 16_000), last)).toEqual([]);
  });
});
