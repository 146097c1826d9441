import type { TLSSocket } from "node:tls";
import { expect, test } from "vitest";
import { SocketWriter, WriteTurn } from "./socket-writer.ts";

/** A socket that takes a write when the test says so. */
function socketAndWriter(turn = new WriteTurn()) {
  const writes: Buffer[] = [];
  const socket = {
    writable: true,
    writableLength: 0,
    take: undefined as ((error?: Error) => void) | undefined,
    isDestroyed: false,
    write(bytes: Uint8Array, taken?: () => void) {
      writes.push(Buffer.from(bytes));
      socket.writableLength += bytes.length;
      socket.take = () => {
        socket.writableLength = 0;
        taken?.();
      };
    },
    destroy() {
      socket.isDestroyed = true;
    },
  };
  let rooms = 0;
  const writer = new SocketWriter(socket as unknown as TLSSocket, turn, () => void rooms++);
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

test("who waits until all is out is told once", async () => {
  const { socket, writer } = socketAndWriter();
  let told = 0;
  writer.write(Buffer.from("last words"));
  writer.whenEmpty(() => told++);
  await turn();
  socket.take?.();
  writer.write(Buffer.from("an answer to a late ping"));
  await turn();
  socket.take?.();
  expect(told).toBe(1);
});

test("a peer that makes us answer and reads nothing loses its connection", async () => {
  const { socket, writer } = socketAndWriter();
  for (let n = 0; n <= 20_000; n++) writer.write(Buffer.alloc(17));
  expect(socket.isDestroyed).toBe(true);
  socket.writable = false;
  await turn();
});

test("a peer that is slow to take a write is given one more, and the rest together when it has taken both", async () => {
  const { socket, writer, writes } = socketAndWriter();
  for (const text of ["1", "2", "3", "4"]) {
    writer.write(Buffer.from(text));
    await turn();
  }
  expect(writes.map(String)).toEqual(["1", "2"]);
  socket.take?.();
  expect(writes.map(String)).toEqual(["1", "2", "34"]);
});

test("who waits until everything is out hears of it, also when one piece is everything", async () => {
  const { socket, writer } = socketAndWriter();
  let isEmpty = false;
  writer.write(Buffer.from("status"));
  writer.whenEmpty(() => {
    isEmpty = true;
  });
  await turn();
  expect(isEmpty).toBe(false);
  socket.take?.();
  expect(isEmpty).toBe(true);
});

test("one connection that is gone keeps nothing from those that are written to in the same turn", async () => {
  const writes = new WriteTurn();
  const gone = socketAndWriter(writes);
  const there = socketAndWriter(writes);
  gone.socket.writable = false;
  for (const { writer } of [gone, there]) writer.write(Buffer.from("news"));
  await turn();
  expect([gone.writes.length, there.writes.map(String)]).toEqual([0, ["news"]]);
});

test("who was asked to wait hears that there is room when the last piece is out", async () => {
  const { socket, writer, writes, rooms } = socketAndWriter();
  writer.write(Buffer.alloc(200_000));
  expect(writer.hasRoom()).toBe(false);
  await turn();
  for (let count = 1; writes.length === count; count++) {
    expect(rooms()).toBe(0);
    socket.take?.();
  }
  expect(rooms()).toBe(1);
});
