import fc from "fast-check";
import { expect, test } from "vitest";
import { GrpcFrameReader } from "./grpc-frames.ts";

function prefixed(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function readAll(chunks: readonly Uint8Array[], bytesMax = 1_000_000): Buffer[] {
  const messages: Buffer[] = [];
  const reader = new GrpcFrameReader(bytesMax, (message) => messages.push(Buffer.from(message)));
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
  const reader = new GrpcFrameReader(1024, () => expect.unreachable());
  expect(() => reader.push(bytes)).toThrow(expect.objectContaining({ name: "GrpcFrameError", code }));
  reader.push(prefixed(Buffer.from("after it nothing counts")));
});

test("nothing comes out any more once a message has ended the stream", () => {
  const messages: number[] = [];
  const reader: GrpcFrameReader = new GrpcFrameReader(1024, ({ length }) => {
    messages.push(length);
    reader.stop();
  });
  reader.push(Buffer.concat([prefixed(Buffer.alloc(3)), prefixed(Buffer.alloc(4))]));
  expect(messages).toEqual([3]);
});
