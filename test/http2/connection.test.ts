import { describe, expect, test } from "vitest";
import { encodeHeaders } from "../../src/http2/hpack-encoder.ts";
import {
  ACK,
  block,
  driveConnection,
  driveFromTheStart,
  END_HEADERS,
  END_STREAM,
  frame,
  GET,
  numberFrame,
  open,
  PADDED,
  PREFACE,
  PRIORITY,
  settings,
  uint32,
} from "./driven-connection.ts";

const nothing = Buffer.of();
const withHeader = (name: string, value: string) => [...GET, [name, value]] as const;
const without = (name: string) => GET.filter(([other]) => other !== name);

describe("a connection begins", () => {
  test("with our settings and window, once the client has shown that it speaks HTTP/2", () => {
    const driven = driveFromTheStart({
      concurrentStreams: 2,
      streamWindowBytes: 100_000,
      connectionWindowBytes: 200_000,
    });
    expect(driven.receive(PREFACE.subarray(0, 10))).toEqual([]);
    expect(driven.receive(PREFACE.subarray(10))).toEqual([
      "SETTINGS 0003000000020004000186a0000600004000",
      `WINDOW_UPDATE ${200_000 - 65_535}`,
    ]);
    expect(driven.receive(settings([4, 100]))).toEqual(["SETTINGS ACK"]);
  });

  test.each([
    ["HTTP/1.1", Buffer.from("GET / HTTP/1.1\r\n\r\n")],
    ["a first frame that is not SETTINGS", Buffer.concat([PREFACE, frame("PING", 0, 0, Buffer.alloc(8))])],
    ["an acknowledgement of nothing", Buffer.concat([PREFACE, frame("SETTINGS", ACK, 0)])],
  ])("and ends at once with %s", (_what, bytes) => {
    const driven = driveFromTheStart();
    expect(driven.receive(bytes).at(-1)).toBe("GOAWAY 0 PROTOCOL_ERROR");
    expect(driven.told()).toEqual(["error PROTOCOL_ERROR"]);
  });
});

describe("what breaks the connection ends all streams, and only this connection", () => {
  test.each<[what: string, code: string, ...frames: Buffer[]]>([
    ["a frame of more than 16 KiB", "FRAME_SIZE_ERROR", frame("DATA", 0, 1, Buffer.alloc(16_385))],
    ["DATA on no stream", "PROTOCOL_ERROR", frame("DATA", 0, 0, Buffer.of(1))],
    ["DATA on a stream that was never opened", "PROTOCOL_ERROR", frame("DATA", 0, 9, Buffer.of(1))],
    ["DATA with padding that is longer than it", "PROTOCOL_ERROR", frame("DATA", PADDED, 1, Buffer.of(3, 0, 0))],
    ["padded DATA without a pad length", "FRAME_SIZE_ERROR", frame("DATA", PADDED, 1)],
    ["HEADERS on no stream", "PROTOCOL_ERROR", frame("HEADERS", END_HEADERS, 0, block(GET))],
    ["HEADERS on the server's stream", "PROTOCOL_ERROR", open(2)],
    ["HEADERS with too much padding", "PROTOCOL_ERROR", frame("HEADERS", END_HEADERS | PADDED, 3, Buffer.of(9, 1))],
    ["HEADERS too short for their priority", "FRAME_SIZE_ERROR", frame("HEADERS", PRIORITY, 3, Buffer.alloc(4))],
    ["HEADERS on a stream that has ended", "STREAM_CLOSED", open(3), numberFrame("RST_STREAM", 3, 8), open(3)],
    ["HEADERS on a stream that was passed over", "PROTOCOL_ERROR", open(9), open(7)],
    ["a header block that is no HPACK", "COMPRESSION_ERROR", frame("HEADERS", END_HEADERS, 3, Buffer.of(0xff))],
    ["CONTINUATION of nothing", "PROTOCOL_ERROR", frame("CONTINUATION", END_HEADERS, 1)],
    [
      "a frame within a header block",
      "PROTOCOL_ERROR",
      frame("HEADERS", 0, 3, block(GET)),
      frame("PING", 0, 0, Buffer.alloc(8)),
    ],
    [
      "another stream's frame within one",
      "PROTOCOL_ERROR",
      frame("HEADERS", 0, 3, block(GET)),
      frame("CONTINUATION", 4, 5),
    ],
    ["an unknown frame within one", "PROTOCOL_ERROR", frame("HEADERS", 0, 3, block(GET)), frame(77, 0, 3)],
    ["PRIORITY on no stream", "PROTOCOL_ERROR", frame("PRIORITY", 0, 0, Buffer.alloc(5))],
    ["PRIORITY of 4 bytes on a stream that was never opened", "FRAME_SIZE_ERROR", frame("PRIORITY", 0, 9, uint32(0))],
    ["RST_STREAM on no stream", "PROTOCOL_ERROR", numberFrame("RST_STREAM", 0, 8)],
    ["RST_STREAM of 3 bytes", "FRAME_SIZE_ERROR", frame("RST_STREAM", 0, 1, Buffer.alloc(3))],
    ["RST_STREAM on a stream that was never opened", "PROTOCOL_ERROR", numberFrame("RST_STREAM", 9, 8)],
    ["SETTINGS on a stream", "PROTOCOL_ERROR", frame("SETTINGS", 0, 1)],
    ["SETTINGS of 5 bytes", "FRAME_SIZE_ERROR", frame("SETTINGS", 0, 0, Buffer.alloc(5))],
    ["SETTINGS that acknowledge and set", "FRAME_SIZE_ERROR", frame("SETTINGS", ACK, 0, Buffer.alloc(6))],
    ["a push setting of 2", "PROTOCOL_ERROR", settings([2, 2])],
    ["an initial window above 2^31-1", "FLOW_CONTROL_ERROR", settings([4, 0x8000_0000])],
    ["frames below 16 KiB at most", "PROTOCOL_ERROR", settings([5, 16_383])],
    ["frames above 16 MiB at most", "PROTOCOL_ERROR", settings([5, 0x100_0000])],
    ["SETTINGS of 33 entries", "ENHANCE_YOUR_CALM", settings(...Array.from({ length: 33 }, () => [4, 1] as const))],
    ["PUSH_PROMISE", "PROTOCOL_ERROR", frame("PUSH_PROMISE", END_HEADERS, 1, Buffer.alloc(4))],
    ["PING on a stream", "PROTOCOL_ERROR", frame("PING", 0, 1, Buffer.alloc(8))],
    ["PING of 7 bytes", "FRAME_SIZE_ERROR", frame("PING", 0, 0, Buffer.alloc(7))],
    ["GOAWAY on a stream", "PROTOCOL_ERROR", frame("GOAWAY", 0, 1, Buffer.alloc(8))],
    ["GOAWAY of 7 bytes", "FRAME_SIZE_ERROR", frame("GOAWAY", 0, 0, Buffer.alloc(7))],
    ["WINDOW_UPDATE of 3 bytes", "FRAME_SIZE_ERROR", frame("WINDOW_UPDATE", 0, 0, Buffer.alloc(3))],
    ["WINDOW_UPDATE by 0", "PROTOCOL_ERROR", numberFrame("WINDOW_UPDATE", 0, 0)],
    ["WINDOW_UPDATE on a stream that was never opened", "PROTOCOL_ERROR", numberFrame("WINDOW_UPDATE", 9, 1)],
    ["a connection window above 2^31-1", "FLOW_CONTROL_ERROR", numberFrame("WINDOW_UPDATE", 0, 0x7fff_ffff)],
    [
      "SETTINGS that make a stream's window too large",
      "FLOW_CONTROL_ERROR",
      numberFrame("WINDOW_UPDATE", 1, 65_536),
      settings([4, 0x7fff_ffff]),
    ],
  ])("%s", (_what, code, ...frames) => {
    const driven = driveConnection();
    driven.receive(open(1));
    driven.told();
    expect(driven.receive(...frames).at(-1)).toMatch(new RegExp(`^GOAWAY \\d ${code}$`));
    expect(driven.told().filter((event) => !/ on |closed 3/.test(event))).toContain("closed 1");
    expect(driven.receive(frame("PING", 0, 0, Buffer.alloc(8)))).toEqual([]);
    expect(driven.connection.streamCount).toBe(0);
  });
});

test("a frame that is too long ends the connection before it has come", () => {
  const driven = driveConnection();
  const bytes = frame("DATA", 0, 1, Buffer.alloc(16_385));
  expect(driven.receive(bytes.subarray(0, 5))).toEqual([]);
  expect(driven.receive(bytes.subarray(5, 9))).toEqual(["GOAWAY 0 FRAME_SIZE_ERROR"]);
});

describe("what breaks a stream ends this stream, and the connection goes on", () => {
  const lengthOf4 = frame("HEADERS", END_HEADERS, 3, block(withHeader("content-length", "4")));
  test.each<[what: string, code: string, ...frames: Buffer[]]>([
    ["an upper-case name", "PROTOCOL_ERROR", open(3, withHeader("X-Upper", "1"))],
    ["a name with a space", "PROTOCOL_ERROR", open(3, withHeader("x y", "1"))],
    ["an empty name", "PROTOCOL_ERROR", open(3, withHeader("", "1"))],
    ["a value with a line end", "PROTOCOL_ERROR", open(3, withHeader("x", "1\r\nevil: 1"))],
    ["a value with NUL", "PROTOCOL_ERROR", open(3, withHeader("x", "\0"))],
    ["a value that begins with a blank", "PROTOCOL_ERROR", open(3, withHeader("x", " 1"))],
    ["a path with a line end", "PROTOCOL_ERROR", open(3, [...without(":path"), [":path", "/\n"]])],
    ["connection", "PROTOCOL_ERROR", open(3, withHeader("connection", "close"))],
    ["transfer-encoding", "PROTOCOL_ERROR", open(3, withHeader("transfer-encoding", "chunked"))],
    ["te that is not trailers", "PROTOCOL_ERROR", open(3, withHeader("te", "gzip"))],
    ["an unknown pseudo-header", "PROTOCOL_ERROR", open(3, [[":protocol", "websocket"], ...GET])],
    ["a response's pseudo-header", "PROTOCOL_ERROR", open(3, [[":status", "200"], ...GET])],
    ["a pseudo-header twice", "PROTOCOL_ERROR", open(3, [[":path", "/b"], ...GET])],
    ["a pseudo-header after a field", "PROTOCOL_ERROR", open(3, [["x", "1"], ...GET])],
    ["no method", "PROTOCOL_ERROR", open(3, without(":method"))],
    ["no scheme", "PROTOCOL_ERROR", open(3, without(":scheme"))],
    ["an empty path", "PROTOCOL_ERROR", open(3, [...without(":path"), [":path", ""]])],
    ["a path without its slash", "PROTOCOL_ERROR", open(3, [...without(":path"), [":path", "a"]])],
    ["a path for OPTIONS alone", "PROTOCOL_ERROR", open(3, [...without(":path"), [":path", "*"]])],
    ["two lengths", "PROTOCOL_ERROR", open(3, [...GET, ["content-length", "1"], ["content-length", "1"]])],
    ["a length that is no number", "PROTOCOL_ERROR", open(3, withHeader("content-length", "-1"))],
    ["129 fields", "PROTOCOL_ERROR", open(3, [...GET, ...Array.from({ length: 129 }, () => ["x", "1"] as const)])],
    ["a body longer than its length", "PROTOCOL_ERROR", lengthOf4, frame("DATA", 0, 3, Buffer.alloc(5))],
    ["a body shorter than its length", "PROTOCOL_ERROR", lengthOf4, frame("DATA", END_STREAM, 3, Buffer.alloc(3))],
    [
      "a body that trailers cut short",
      "PROTOCOL_ERROR",
      lengthOf4,
      frame("HEADERS", END_HEADERS | END_STREAM, 3, block([["x", "1"]])),
    ],
    [
      "no body in spite of a length",
      "PROTOCOL_ERROR",
      frame("HEADERS", END_HEADERS | END_STREAM, 3, block(withHeader("content-length", "4"))),
    ],
    [
      "a stream that depends on itself",
      "PROTOCOL_ERROR",
      frame("HEADERS", END_HEADERS | PRIORITY, 3, Buffer.concat([uint32(3), Buffer.of(1), block(GET)])),
    ],
    [
      "a priority that depends on itself",
      "PROTOCOL_ERROR",
      open(3),
      frame("PRIORITY", 0, 3, Buffer.concat([uint32(3), Buffer.of(1)])),
    ],
    ["PRIORITY of 4 bytes", "FRAME_SIZE_ERROR", open(3), frame("PRIORITY", 0, 3, Buffer.alloc(4))],
    ["trailers that do not end the stream", "PROTOCOL_ERROR", open(3), open(3, [["x", "1"]])],
    [
      "trailers with a pseudo-header",
      "PROTOCOL_ERROR",
      open(3),
      frame("HEADERS", END_HEADERS | END_STREAM, 3, block(GET)),
    ],
    ["DATA after the end", "STREAM_CLOSED", open(3), frame("DATA", END_STREAM, 3), frame("DATA", 0, 3, Buffer.of(1))],
    ["HEADERS after the end", "STREAM_CLOSED", open(3), frame("DATA", END_STREAM, 3), open(3, [])],
    [
      "DATA after a reset",
      "STREAM_CLOSED",
      open(3),
      frame("DATA", 0, 3, Buffer.of(1)),
      numberFrame("RST_STREAM", 3, 8),
      frame("DATA", 0, 3, Buffer.of(1)),
    ],
    ["WINDOW_UPDATE by 0", "PROTOCOL_ERROR", open(3), numberFrame("WINDOW_UPDATE", 3, 0)],
    ["a window above 2^31-1", "FLOW_CONTROL_ERROR", open(3), numberFrame("WINDOW_UPDATE", 3, 0x7fff_ffff)],
    ["a request that nobody serves", "REFUSED_STREAM", open(3, [...without(":path"), [":path", "/refused"]])],
  ])("%s", (_what, code, ...frames) => {
    const driven = driveConnection();
    driven.receive(open(1));
    expect(driven.receive(...frames)).toEqual([`RST_STREAM 3 ${code}`]);
    driven.told();
    driven.receive(frame("DATA", 0, 1, Buffer.of(7)));
    expect(driven.told()).toEqual(["data on 1: 07"]);
    expect(driven.connection.streamCount).toBe(1);
  });

  test("more streams than agreed are refused; their headers keep HPACK in step, and what follows is no error", () => {
    const driven = driveConnection({ concurrentStreams: 1 });
    const indexed = Buffer.concat([Buffer.of(0x40, 1), Buffer.from("x"), Buffer.of(1), Buffer.from("1")]);
    expect(driven.receive(open(1), frame("HEADERS", END_HEADERS, 3, Buffer.concat([block(GET), indexed])))).toEqual([
      "RST_STREAM 3 REFUSED_STREAM",
    ]);
    expect(driven.receive(frame("DATA", END_STREAM, 3, Buffer.of(1)))).toEqual([]);
    driven.receive(numberFrame("RST_STREAM", 1, 8));
    driven.told();
    driven.receive(frame("HEADERS", END_HEADERS, 5, Buffer.concat([block(GET), Buffer.of(0x80 | 62)])));
    expect(driven.told()).toEqual(["GET /a on 5"]);
  });

  test("the ends of streams are not remembered for ever", () => {
    const driven = driveConnection();
    for (let id = 1; id <= 2 * 65; id += 2) driven.receive(open(id), numberFrame("RST_STREAM", id, 8));
    expect(driven.receive(open(1))).toEqual(["GOAWAY 129 PROTOCOL_ERROR"]);
  });

  test("frames that were under way to a stream that we reset are no error", () => {
    const driven = driveConnection();
    driven.receive(open(1));
    driven.stream(1).reset("CANCEL");
    driven.written();
    const late = [frame("DATA", 0, 1, Buffer.of(1)), open(1, [["x", "1"]]), numberFrame("WINDOW_UPDATE", 1, 1)];
    expect(driven.receive(...late, numberFrame("RST_STREAM", 1, 8))).toEqual([]);
    expect(driven.told()).toEqual(["GET /a on 1", "closed 1"]);
  });
});

describe("a stream", () => {
  test("brings headers, body and end, through padding, priority, continuation and frames that nobody knows", () => {
    const driven = driveConnection();
    const headers = block(GET);
    const padded = Buffer.concat([Buffer.of(2), uint32(0), Buffer.of(15), headers.subarray(0, 4), Buffer.of(0, 0)]);
    driven.receive(
      frame("HEADERS", PADDED | PRIORITY, 1, padded),
      frame("CONTINUATION", 0, 1, headers.subarray(4, 9)),
      frame("CONTINUATION", END_HEADERS, 1, headers.subarray(9)),
      frame(0xfa, 0xff, 1, Buffer.from("who knows")),
      frame("PRIORITY", 0, 1, Buffer.concat([uint32(0), Buffer.of(1)])),
      frame("DATA", PADDED, 1, Buffer.from([1, 0xaa, 0xbb, 0])),
      frame("DATA", 0, 1, Buffer.from([0xcc])),
      frame("DATA", END_STREAM, 1),
    );
    expect(driven.told()).toEqual(["GET /a on 1", "data on 1: aabbcc", "end of 1"]);
  });

  test("is over for both sides after our trailers; a client that still speaks is told to stop", () => {
    const driven = driveConnection();
    driven.receive(open(1), frame("HEADERS", END_HEADERS | END_STREAM, 3, block(GET)));
    for (const id of [1, 3]) {
      driven.stream(id).respond([[":status", "200"]]);
      driven.stream(id).sendData(Buffer.from("hello"));
      driven.stream(id).trailers([["grpc-status", "0"]]);
      driven.stream(id).trailers([["grpc-status", "1"]]);
      driven.stream(id).reset("CANCEL");
      expect(driven.stream(id).sendData(nothing)).toBe(false);
    }
    expect(driven.written()).toEqual([
      "HEADERS 1",
      "DATA 1 5 bytes",
      "HEADERS 1 END_STREAM",
      "RST_STREAM 1 NO_ERROR",
      "HEADERS 3",
      "DATA 3 5 bytes",
      "HEADERS 3 END_STREAM",
    ]);
    expect(driven.told()).toEqual(["GET /a on 1", "GET /a on 3", "end of 3", "closed 1", "closed 3"]);
    const late = [frame("DATA", 0, 1, Buffer.of(1)), frame("DATA", 0, 3, Buffer.of(1))];
    expect(driven.receive(...late)).toEqual(["RST_STREAM 3 STREAM_CLOSED"]);
  });

  test("is told that it is over even if it was answered at once", () => {
    const driven = driveConnection();
    const headers = GET.map(([name, value]) => [name, name === ":path" ? "/at-once" : value] as const);
    expect(driven.receive(open(1, headers))).toEqual(["HEADERS 1 END_STREAM", "RST_STREAM 1 NO_ERROR"]);
    expect(driven.told()).toEqual(["GET /at-once on 1", "closed 1"]);
  });

  test("that is reset because of what its body says does not end as well", () => {
    const driven = driveConnection();
    const headers = GET.map(([name, value]) => [name, name === ":path" ? "/reset-by-data" : value] as const);
    expect(driven.receive(open(1, headers), frame("DATA", END_STREAM, 1, Buffer.of(1)))).toEqual([
      "RST_STREAM 1 CANCEL",
    ]);
    expect(driven.told()).toEqual(["GET /reset-by-data on 1", "data on 1: 01", "closed 1"]);
  });

  test("is told once that it is over, when the socket goes, the client resets it, or the connection breaks", () => {
    const driven = driveConnection();
    driven.receive(open(1), open(3), numberFrame("RST_STREAM", 1, 8));
    driven.connection.close();
    driven.connection.close();
    expect(driven.told()).toEqual(["GET /a on 1", "GET /a on 3", "closed 1", "closed 3"]);
    expect(driven.receive(open(5))).toEqual([]);
  });

  test("is told once that it is over even if the end of another one ends it", () => {
    const driven = driveConnection();
    driven.receive(open(1), open(3));
    driven.whenClosed = (id) => driven.stream(4 - id).reset("CANCEL");
    driven.connection.close();
    expect(driven.told().filter((event) => event.startsWith("closed"))).toEqual(["closed 1", "closed 3"]);
  });
});

describe("a connection", () => {
  test("answers pings, and goes on when its own are answered and when the client says that it takes no more streams", () => {
    const driven = driveConnection();
    expect(driven.receive(frame("PING", 0, 0, Buffer.from("12345678")))).toEqual(["PING ACK"]);
    const withReservedBit = frame("PING", 0, 0x8000_0000, Buffer.from("12345678"));
    expect(driven.receive(withReservedBit)).toEqual(["PING ACK"]);
    driven.connection.ping(Buffer.from("abcdefgh"));
    expect(driven.written()).toEqual(["PING 6162636465666768"]);
    expect(
      driven.receive(frame("PING", ACK, 0, Buffer.from("abcdefgh")), frame("GOAWAY", 0, 0, Buffer.alloc(8))),
    ).toEqual([]);
    driven.receive(open(1));
    expect(driven.told()).toEqual(["GET /a on 1"]);
  });

  test("that is to end takes no new streams and lets the others finish", () => {
    const driven = driveConnection();
    driven.receive(open(1));
    driven.connection.goAway();
    driven.connection.goAway();
    expect(driven.written()).toEqual(["GOAWAY 1 NO_ERROR"]);
    expect(driven.receive(open(3), frame("DATA", 0, 1, Buffer.of(1)))).toEqual(["RST_STREAM 3 REFUSED_STREAM"]);
    expect(driven.told()).toEqual(["GET /a on 1", "data on 1: 01"]);
  });

  test("that is to end never says later that it took a stream which it said it would not", () => {
    const driven = driveConnection();
    driven.receive(open(1));
    driven.connection.goAway();
    driven.receive(open(3));
    expect(driven.receive(frame("PING", 0, 1, Buffer.alloc(8)))).toEqual(["GOAWAY 1 PROTOCOL_ERROR"]);
  });

  test("writes long headers in several frames, and says that it uses no table to a client that allows none", () => {
    const driven = driveConnection();
    driven.receive(settings([1, 0]), settings([1, 4096]), open(1));
    const long = ["x", "y".repeat(20_000)] as const;
    driven.stream(1).respond([[":status", "200"], long]);
    driven.stream(1).trailers([long]);
    expect(driven.written().slice(0, -1)).toEqual([
      "HEADERS 1 NO_TABLE",
      "CONTINUATION 1",
      "HEADERS 1 END_STREAM",
      "CONTINUATION 1",
    ]);
    expect(() => encodeHeaders([["Upper", ""]])).toThrow("no header of HTTP/2");
    expect(() => encodeHeaders([["x", "\n"]])).toThrow("no header of HTTP/2");
  });
});
