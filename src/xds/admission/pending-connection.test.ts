import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { until } from "../../../test/support/until.ts";
import { type ManualClock, manualClock } from "../../lib/mod.ts";
import { PendingConnection } from "./pending-connection.ts";

let server: Server;
let client: Socket;
let clock: ManualClock;
const said: string[] = [];

/** What the server's side of a connection makes of what `client` says. */
async function connected(): Promise<PendingConnection> {
  const accepted = once(server, "connection");
  client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  client.on("error", () => undefined);
  const [socket] = (await accepted) as [Socket];
  const end = (what: string) => {
    said.push(what);
    socket.destroy();
  };
  return new PendingConnection(socket, {
    clock,
    onHello: () => void said.push("hello"),
    onWrong: () => end("wrong"),
    onLate: () => end("late"),
  });
}

beforeEach(async () => {
  said.length = 0;
  clock = manualClock();
  server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterEach(() => {
  client.destroy();
  server.close();
});

test("what was read while it waited is handed on in order", async () => {
  const waiting = await connected();
  client.write(Buffer.from([22, 3, 1]));
  await until(() => said.length > 0);
  client.write(Buffer.from([0, 5]));
  await until(() => waiting.socket.bytesRead === 5);
  const socket = waiting.release();
  client.write(Buffer.from([9]));
  const bytes: number[] = [];
  socket.on("data", (chunk: Buffer) => void bytes.push(...chunk));
  socket.resume();
  await until(() => bytes.length === 6);
  expect(bytes).toEqual([22, 3, 1, 0, 5, 9]);
  expect(said).toEqual(["hello"]);
  socket.destroy();
});

test("a stranger who sends more than a ClientHello before an answer is turned away: thousands would fill the memory", async () => {
  const waiting = await connected();
  client.write(Buffer.from([22, 3, 1, 64, 0]));
  await until(() => said.length > 0);
  client.write(Buffer.alloc(9_000));
  await once(waiting.socket, "close");
  expect(said).toEqual(["hello", "wrong"]);
});

test("a stranger who sends byte by byte is turned away: what is kept with each of them is many times the byte", async () => {
  const waiting = await connected();
  const closed = once(waiting.socket, "close");
  client.setNoDelay(true);
  for (let sent = 1; sent <= 17; sent++) {
    client.write(Buffer.from([22]));
    await until(() => waiting.socket.bytesRead === sent || waiting.socket.destroyed);
  }
  await closed;
  expect(said).toEqual(["hello", "wrong"]);
});

test("what is no TLS never stands in the queue", async () => {
  const waiting = await connected();
  client.write("GET / HTTP/1.1\r\n\r\n");
  await once(waiting.socket, "close");
  expect(said).toEqual(["wrong"]);
});

test("who leaves while waiting is gone at once", async () => {
  const waiting = await connected();
  client.write(Buffer.from([22, 3, 1]));
  await until(() => said.length > 0);
  const closed = once(waiting.socket, "close");
  client.end();
  await closed;
});

test("who says nothing is let go after ten seconds", async () => {
  await connected();
  clock.advance(9_999);
  expect(said).toEqual([]);
  clock.advance(1);
  expect(said).toEqual(["late"]);
});

test("who drips byte by byte keeps no place in the queue for longer than half a minute", async () => {
  const waiting = await connected();
  client.setNoDelay(true);
  for (let sent = 1; sent <= 4; sent++) {
    clock.advance(9_000);
    client.write(Buffer.from([22]));
    await until(() => waiting.socket.bytesRead === sent);
  }
  expect(said).toEqual(["hello"]);
  clock.advance(3_000);
  expect(said).toEqual(["hello", "late"]);
});

test("whose turn has come is held to no deadline of the line", async () => {
  const waiting = await connected();
  client.write(Buffer.from([22, 3, 1]));
  await until(() => said.length > 0);
  const socket = waiting.release();
  clock.advance(3_600_000);
  expect(said).toEqual(["hello"]);
  socket.destroy();
});
