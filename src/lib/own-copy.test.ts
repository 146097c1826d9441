import { expect, test } from "vitest";
import { ownCopy } from "./own-copy.ts";

test("what is kept of a few bytes holds no memory but its own", () => {
  const bytes = Buffer.from("response");
  const own = ownCopy(bytes);
  expect(own.toString()).toBe("response");
  expect(own.buffer.byteLength).toBe(own.length);
  bytes.fill(0);
  expect(own.toString()).toBe("response");
});
