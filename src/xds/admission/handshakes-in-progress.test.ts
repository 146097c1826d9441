import { EventEmitter } from "node:events";
import type { TLSSocket } from "node:tls";
import { expect, test } from "vitest";
import { HandshakesInProgress } from "./handshakes-in-progress.ts";
import type { PendingConnection } from "./pending-connection.ts";

/** What is asked of a socket, and of the TLS socket over it. */
function socketAt(localAddress: string, localPort: number) {
  return Object.assign(new EventEmitter(), {
    remoteAddress: "127.0.0.9",
    remotePort: 40_000,
    localAddress,
    localPort,
  }) as unknown as TLSSocket;
}

test.each([
  ["ports", socketAt("127.0.0.1", 15_128), socketAt("127.0.0.1", 15_129)],
  ["addresses", socketAt("127.0.0.1", 15_128), socketAt("127.0.0.2", 15_128)],
])("who connects to two of our %s from one of its own is judged for each by itself", (_what, good, bad) => {
  const failed: string[] = [];
  const begun = new HandshakesInProgress({
    proven: () => undefined,
    failed: (_conduct, cause) => failed.push(cause),
    left: () => undefined,
  });
  for (const socket of [good, bad]) begun.add({ socket, address: "127.0.0.9" } as unknown as PendingConnection, false);
  const conduct = begun.take(good);
  conduct.secured();
  conduct.excused();
  good.emit("close");
  expect(failed).toEqual([]);
  begun.take(bad).secured();
  bad.emit("close");
  expect(failed).toEqual(["no request came"]);
});

test("an answer that is taken in once its connection is gone leaves no proxy behind at the address", () => {
  const proven: string[] = [];
  const begun = new HandshakesInProgress({
    proven: ({ address }) => proven.push(address),
    failed: () => undefined,
    left: ({ address }) => void proven.splice(proven.indexOf(address), 1),
  });
  const socket = socketAt("127.0.0.1", 15_128);
  begun.add({ socket, address: "127.0.0.9" } as unknown as PendingConnection, false);
  const conduct = begun.take(socket);
  socket.emit("close");
  conduct.proven();
  expect(proven).toEqual([]);
});
