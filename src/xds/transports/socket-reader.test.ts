import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { connect, createServer, type TLSSocket } from "node:tls";
import { expect, test, vi } from "vitest";
import { testAuthority } from "../../../test/support/xds-mesh.ts";
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

test("the end is told when whoever was asked to tell it does, after what came before it", async () => {
  const read: string[] = [];
  const tell: (() => void)[] = [];
  const socket = new Readable({ read: () => undefined });
  readSocket(
    socket as unknown as TLSSocket,
    (bytes) => void read.push(bytes.toString()),
    (ended, push) => void tell.push(() => push.call(ended, null)),
  );
  socket.once("end", () => void read.push("end"));
  await settled();
  socket.push(Buffer.from("1"));
  socket.push(null);
  await settled();
  expect(read).toEqual(["1"]);
  for (const each of tell) each();
  await settled();
  expect(read).toEqual(["1", "end"]);
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

test("on a real connection nothing makes an event of its own, so that the short way is taken", async () => {
  const authority = await testAuthority();
  const { certificatePem: cert, privateKeyPem: key } = await authority.sidecar({
    uuid: "3f5c9c1e-0000-4000-8000-000000000001",
    serviceAccount: "a",
    namespace: "b",
  });
  const server = createServer({ cert, key }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const client = connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
  const [socket] = (await once(server, "secureConnection")) as [TLSSocket];
  const emit = vi.spyOn(socket, "emit");
  let read = "";
  readSocket(socket, (bytes) => {
    read += bytes.toString();
  });
  client.end("all of it");
  await once(socket, "end");
  server.close();
  expect(read).toBe("all of it");
  expect(emit.mock.calls.filter(([event]) => event === "data")).toEqual([]);
});
