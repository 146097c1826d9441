import { expect, test, vi } from "vitest";

vi.mock("../../../proto/gen/discovery.js", () => {
  throw new Error("the protobuf code was loaded");
});

test("a thread that carries streams takes no memory for code that reads and writes their messages", async () => {
  const { serveStreamThread } = await import("./stream-thread.ts");
  expect(serveStreamThread).toBeTypeOf("function");
});
