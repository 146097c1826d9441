import { expect, test } from "vitest";
import { BatchReader, BatchWriter, ENTRY } from "./stream-batch.ts";

test("a response that a thread keeps holds no memory but its own", () => {
  const writer = new BatchWriter();
  writer.add(ENTRY.send, 1, 2);
  writer.addBytes(ENTRY.bytes, 3, Buffer.from("response"));
  const batch = new BatchReader(writer.take());
  batch.next();
  batch.next();
  const own = batch.ownBytes();
  expect(own.toString()).toBe("response");
  expect(own.buffer.byteLength).toBe(own.length);
});
