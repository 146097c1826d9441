import type { TLSSocket } from "node:tls";
import { expect, test } from "vitest";
import { SocketWriter } from "./socket-writer.ts";

/** A socket that takes a write when the test says so. */
function socketAndWriter() {
  const writes: Buffer[] = [];
  const socket = {
    writable: true,
    take: undefined as ((error?: Error) => void) | undefined,
    isDestroyed: false,
    write(bytes: Uint8Array, taken: () => void) {
      writes.push(Buffer.from(bytes));
      socket.take = taken;
    },
    destroy() {
      socket.isDestroyed = true;
    },
  };
  let rooms = 0;
  const writer = new SocketWriter(socket as unknown as TLSSocket, () => void rooms++);
  return { socket, writer, writes, rooms: () => rooms };
}

const turn = () => new Promise<void>((resolve) => queueMicrotask(resolve));

test("what is written in one turn goes out together", async () => {
  const { writer, writes } = socketAndWriter();
  for (const text of ["headers ", "data ", "trailers"]) writer.write(Buffer.from(text));
  await turn();
  expect(writes.map(String)).toEqual(["headers data trailers"]);
});

test("much goes out in pieces of just under 16 KiB, each after the last was taken, in order", async () => {
  const { socket, writer, writes, rooms } = socketAndWriter();
  const big = Buffer.from(Array.from({ length: 200_000 }, (_, at) => at % 251));
  writer.write(Buffer.from("first"));
  writer.write(big);
  writer.write(Buffer.from("last"));
  expect(writer.hasRoom()).toBe(false);
  await turn();
  let isEmpty = false;
  writer.whenEmpty(() => {
    isEmpty = true;
  });
  for (let count = 1; writes.length === count; count++) {
    expect([rooms(), isEmpty]).toEqual([0, false]);
    socket.take?.();
  }
  expect(Math.max(...writes.map(({ length }) => length))).toBe(16 * 1024 - 64);
  expect(Buffer.concat(writes).equals(Buffer.concat([Buffer.from("first"), big, Buffer.from("last")]))).toBe(true);
  expect([rooms(), isEmpty, writer.hasRoom()]).toEqual([1, true, true]);
});

test("a peer that makes us answer and reads nothing loses its connection", async () => {
  const { socket, writer } = socketAndWriter();
  for (let n = 0; n <= 20_000; n++) writer.write(Buffer.alloc(17));
  expect(socket.isDestroyed).toBe(true);
  socket.writable = false;
  await turn();
});
