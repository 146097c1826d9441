import fc from "fast-check";
import { expect, test } from "vitest";
import { GrpcFrameReader } from "./grpc-frames.ts";

/** Finds nothing too large. */
const enough = () => undefined;

function prefixed(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function readAll(chunks: readonly Uint8Array[], bytesMax = 1_000_000): Buffer[] {
  const messages: Buffer[] = [];
  const reader = new GrpcFrameReader(bytesMax, (message) => messages.push(Buffer.from(message)), enough);
  for (const chunk of chunks) reader.push(chunk);
  expect(reader.isWithinMessage).toBe(false);
  return messages;
}

test("messages come out whole, however the bytes are cut", () => {
  const cases = fc.tuple(
    fc.array(fc.uint8Array({ maxLength: 6000, size: "max" }), { maxLength: 6 }),
    fc.array(fc.nat({ max: 30_000 }), { maxLength: 12 }),
  );
  fc.assert(
    fc.property(cases, ([messages, cuts]) => {
      const bytes = Buffer.concat(messages.map(prefixed));
      const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
      const chunks = at.slice(1).map((end, position) => bytes.subarray(at[position], end));
      expect(readAll(chunks)).toEqual(messages.map((message) => Buffer.from(message)));
    }),
    { numRuns: 200 },
  );
  const message = Buffer.from("one byte at a time");
  expect(readAll([...prefixed(message)].map((byte) => Buffer.of(byte)))).toEqual([message]);
});

test.each([
  ["a compressed message", Buffer.from([1, 0, 0, 0, 1, 7]), "UNIMPLEMENTED"],
  ["a byte that is no flag", Buffer.from([9, 0, 0, 0, 1, 7]), "INTERNAL"],
  ["a length above the bound, before a byte of it has come", Buffer.from([0, 0, 0, 4, 1]), "RESOURCE_EXHAUSTED"],
  ["a length that would be negative as an int32", Buffer.from([0, 255, 255, 255, 255]), "RESOURCE_EXHAUSTED"],
])("%s is refused", (_what, bytes, code) => {
  const reader = new GrpcFrameReader(1024, () => expect.unreachable(), enough);
  expect(() => reader.push(bytes)).toThrow(expect.objectContaining({ name: "GrpcFrameError", code }));
  reader.push(prefixed(Buffer.from("after it nothing counts")));
});

test("nothing comes out any more once a message has ended the stream", () => {
  const messages: number[] = [];
  const onMessage = ({ length }: Uint8Array) => {
    messages.push(length);
    reader.stop();
  };
  const reader: GrpcFrameReader = new GrpcFrameReader(1024, onMessage, enough);
  reader.push(Buffer.concat([prefixed(Buffer.alloc(3)), prefixed(Buffer.alloc(4))]));
  expect(messages).toEqual([3]);
});

test("a message that has too much is refused before the rest of it is kept", () => {
  const seen: number[][] = [];
  const reader = new GrpcFrameReader(
    2 ** 22,
    () => expect.unreachable(),
    (beginning, length) => {
      seen.push([beginning.length, length]);
      return beginning.length < 100_000 ? undefined : "it has too much";
    },
  );
  const bytes = prefixed(Buffer.alloc(2 ** 20));
  const piece = 16_384;
  let sent = 0;
  const send = () => {
    for (; sent < bytes.length; sent += piece) reader.push(bytes.subarray(sent, sent + piece));
  };
  expect(send).toThrow(expect.objectContaining({ code: "RESOURCE_EXHAUSTED", message: "it has too much" }));
  expect(sent).toBeLessThan(200_000);
  expect(seen.every(([, length]) => length === 2 ** 20)).toBe(true);
  expect(seen.length, "each look costs as much as it looks at").toBeLessThan(4);
});
