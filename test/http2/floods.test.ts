import { describe, expect, test } from "vitest";
import { collectGarbage } from "../support/garbage.ts";
import { skipOnDeno } from "../support/needs.ts";
import {
  block,
  type DrivenConnection,
  driveConnection,
  END_HEADERS,
  END_STREAM,
  frame,
  GET,
  numberFrame,
  open,
  settings,
} from "./driven-connection.ts";

const limits = { controlFrames: { burst: 200, perSecond: 50 } };
const CALM = /GOAWAY \d+ ENHANCE_YOUR_CALM/;

/** How many of `frames` were taken before the connection was ended; all of them when it was not. */
function takenOf(driven: DrivenConnection, count: number, frames: (index: number) => readonly Buffer[]): number {
  for (let index = 0; index < count; index++) {
    if (driven.receive(...frames(index)).some((line) => CALM.test(line))) return index;
  }
  return count;
}

describe("a flood ends its connection after what anybody may need", () => {
  const ping = frame("PING", 0, 0, Buffer.alloc(8));
  test.each<[what: string, atMost: number, frames: (index: number) => readonly Buffer[]]>([
    ["PING", 200, () => [ping]],
    ["SETTINGS", 200, () => [settings()]],
    ["SETTINGS that change all windows", 200, (index) => [settings([4, index])]],
    ["PRIORITY", 200, () => [frame("PRIORITY", 0, 1, Buffer.alloc(5))]],
    ["DATA of nothing", 200, () => [frame("DATA", 0, 1)]],
    ["DATA of padding alone", 200, () => [frame("DATA", 8, 1, Buffer.from([2, 0, 0]))]],
    ["WINDOW_UPDATE", 200, () => [numberFrame("WINDOW_UPDATE", 1, 1)]],
    ["WINDOW_UPDATE of the connection", 200, () => [numberFrame("WINDOW_UPDATE", 0, 1)]],
    ["frames that nobody knows", 200, () => [frame(0xee, 0, 0)]],
    ["GOAWAY", 200, () => [frame("GOAWAY", 0, 0, Buffer.alloc(8))]],
    [
      "streams that are reset at once",
      20,
      (index) => [open(3 + 2 * index), numberFrame("RST_STREAM", 3 + 2 * index, 8)],
    ],
    ["streams that are refused", 25, (index) => [open(3 + 2 * index)]],
    ["streams that we have to reset", 25, (index) => [open(3 + 2 * index, [["x", "1"]])]],
    ["RST_STREAM of streams that are over", 40, () => [numberFrame("RST_STREAM", 1, 8)]],
    [
      "DATA on a stream that is over",
      200,
      (index) => [...(index === 0 ? [numberFrame("RST_STREAM", 1, 8)] : []), frame("DATA", 0, 1, Buffer.of(1))],
    ],
    ["CONTINUATION of nothing", 16, (index) => [frame(index === 0 ? "HEADERS" : "CONTINUATION", 0, 3)]],
    [
      "CONTINUATION without end",
      2,
      (index) => [frame(index === 0 ? "HEADERS" : "CONTINUATION", 0, 3, Buffer.alloc(16_000))],
    ],
  ])("%s", (_what, atMost, frames) => {
    const driven = driveConnection(limits);
    driven.receive(open(1));
    expect(takenOf(driven, 10_000, frames)).toBeLessThanOrEqual(atMost);
    expect(driven.connection.streamCount).toBe(0);
    expect(driven.told().at(-1)).toBe("error ENHANCE_YOUR_CALM");
    expect(driven.writtenBytes).toBeLessThan(10_000);
  });

  test.each([
    [1000, 250],
    [1e9, 401],
  ])("after %d quiet ms: at %d pings", (quietMs, pings) => {
    const driven = driveConnection(limits);
    driven.wait(quietMs);
    expect(takenOf(driven, 10_000, () => [ping])).toBeLessThanOrEqual(pings);
  });

  test("a window that opens byte by byte does not pay for itself", () => {
    const driven = driveConnection(limits);
    driven.receive(settings([4, 0]), open(1));
    driven.stream(1).respond([[":status", "200"]]);
    driven.stream(1).sendData(Buffer.alloc(100_000));
    expect(takenOf(driven, 10_000, () => [numberFrame("WINDOW_UPDATE", 1, 1)])).toBeLessThan(200);
  });
});

describe("an honest client is never taken for a flood", () => {
  test("that answers each message with window updates and a ping, and acknowledges it", () => {
    const driven = driveConnection(limits);
    driven.receive(open(1));
    driven.stream(1).respond([[":status", "200"]]);
    const answer = [
      numberFrame("WINDOW_UPDATE", 0, 1000),
      numberFrame("WINDOW_UPDATE", 1, 1000),
      frame("PING", 0, 0, Buffer.alloc(8)),
      frame("DATA", 0, 1, Buffer.alloc(100)),
    ];
    const taken = takenOf(driven, 1_000, () => {
      driven.stream(1).sendData(Buffer.alloc(1000));
      return answer;
    });
    expect(taken).toBe(1_000);
  });

  test("that reads a large message and opens its windows frame by frame", () => {
    const driven = driveConnection(limits);
    driven.receive(open(1));
    driven.stream(1).respond([[":status", "200"]]);
    driven.stream(1).sendData(Buffer.alloc(50_000_000));
    const updates = [numberFrame("WINDOW_UPDATE", 0, 16_384), numberFrame("WINDOW_UPDATE", 1, 16_384)];
    expect(takenOf(driven, 3_100, () => updates)).toBe(3_100);
    expect(driven.told()).toContain("drained 1");
  });

  test("that opens stream after stream, as often as its rate allows", () => {
    const driven = driveConnection(limits);
    const taken = takenOf(driven, 1000, (index) => {
      driven.wait(250);
      return [
        frame("HEADERS", END_HEADERS | END_STREAM, 1 + 2 * index, block(GET)),
        numberFrame("RST_STREAM", 1 + 2 * index, 8),
      ];
    });
    expect(taken).toBe(1000);
  });
});

describe("a header list is bounded", () => {
  test("however small the block is that it is made of", () => {
    const driven = driveConnection();
    driven.receive(open(1));
    const entry = Buffer.concat([
      Buffer.of(0x40, 1),
      Buffer.from("x"),
      Buffer.of(0x7f, 0x81, 0x1e),
      Buffer.alloc(4000, "y"),
    ]);
    const bomb = Buffer.concat([block(GET), entry, Buffer.alloc(12_000, 0x80 | 62)]);
    expect(driven.receive(frame("HEADERS", END_HEADERS, 3, bomb))).toEqual(["GOAWAY 1 ENHANCE_YOUR_CALM"]);
  });

  test("each for itself: long ones may follow each other", () => {
    const driven = driveConnection();
    const headers = block([...GET, ["x", "y".repeat(12_000)]]);
    for (const id of [1, 3, 5]) {
      driven.receive(frame("HEADERS", 0, id, headers.subarray(0, 6000)));
      driven.receive(frame("CONTINUATION", END_HEADERS, id, headers.subarray(6000)));
    }
    expect(driven.connection.streamCount).toBe(3);
  });

  test("and so are its frames, before the last has come", () => {
    const driven = driveConnection({ headerListBytes: 1000 });
    const part = frame("CONTINUATION", 0, 1, Buffer.alloc(8_000));
    expect(driven.receive(frame("HEADERS", 0, 1), part, part)).toEqual([]);
    expect(driven.receive(part)).toEqual(["GOAWAY 0 ENHANCE_YOUR_CALM"]);
  });
});

test("DATA that goes on after its stream was reset ends the connection once it is more than was under way", () => {
  const driven = driveConnection({ streamWindowBytes: 100_000, connectionWindowBytes: 100_000 });
  driven.receive(open(1));
  driven.stream(1).reset("CANCEL");
  const frames = () => [frame("DATA", 0, 1, Buffer.alloc(10_000))];
  expect(takenOf(driven, 100, frames)).toBe(10);
});

test("what has come of a frame or header block that never ends is all that is kept of it", async (context) => {
  skipOnDeno(context, "collector that can be asked");
  const held = async () => {
    await collectGarbage();
    return process.memoryUsage().arrayBuffers;
  };
  const before = await held();
  const connections = Array.from({ length: 200 }, () => {
    const driven = driveConnection();
    driven.receive(frame("HEADERS", 0, 1, block(GET)), frame("CONTINUATION", END_HEADERS, 1).subarray(0, 5));
    // Others use the pool that small buffers come from.
    for (let taken = 0; taken < Buffer.poolSize; taken += 4000) Buffer.allocUnsafe(4000);
    return driven;
  });
  expect((await held()) - before).toBeLessThan(connections.length * 4096);
});
