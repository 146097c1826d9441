import { Readable } from "node:stream";
import type { TLSSocket } from "node:tls";
import { expect, test } from "vitest";
import { readSocket } from "./socket-reader.ts";

/** A socket into which the test pushes what comes, as the runtime does, and what was read of it. */
function openSocket() {
  const read: string[] = [];
  const socket = new Readable({ read: () => undefined, highWaterMark: 4 });
  readSocket(socket as unknown as TLSSocket, (bytes) => void read.push(bytes.toString()));
  return { socket, read };
}

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

test("what comes is read at once and in order, also around a pause, and the end comes last", async () => {
  const { socket, read } = openSocket();
  socket.once("end", () => void read.push("end"));
  await settled();
  expect(socket.push(Buffer.from("1"))).toBe(true);
  expect(read).toEqual(["1"]);
  socket.pause();
  socket.push(Buffer.from("2"));
  await settled();
  expect(read).toEqual(["1"]);
  socket.resume();
  // Before what came in the pause has been read.
  socket.push(Buffer.from("3"));
  await settled();
  socket.push(Buffer.from("4"));
  socket.push(null);
  await settled();
  expect(read.join("")).toBe("1234end");
});

test("while nobody reads, the runtime is told to stop", async () => {
  const { socket, read } = openSocket();
  await settled();
  socket.pause();
  expect(socket.push(Buffer.from("more than is kept"))).toBe(false);
  expect(read).toEqual([]);
});

test("a runtime that does not push is read all the same", () => {
  const { socket, read } = openSocket();
  socket.emit("data", Buffer.from("1"));
  expect(read).toEqual(["1"]);
});
