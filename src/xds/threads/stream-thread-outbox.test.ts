import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import { nextTurn } from "../../platform/mod.ts";
import { ENTRY } from "./stream-batch.ts";
import { ThreadMetrics } from "./stream-thread-metrics.ts";
import { ThreadOutbox } from "./stream-thread-outbox.ts";

/** Stands for a main thread that is busy when it is asked, and then works everything through. */
const HANDLER = `
  const { parentPort, workerData } = require("node:worker_threads");
  const [asked, handled] = workerData.map((buffer) => new Int32Array(buffer));
  parentPort.postMessage("ready");
  Atomics.wait(asked, 0, 0);
  Atomics.wait(asked, 0, 1, 20);
  Atomics.store(handled, 0, 2 ** 21);
  Atomics.notify(handled, 0);
`;

test("a thread whose clients say more than the main thread can take waits for it", async () => {
  const [asked, handled] = [new SharedArrayBuffer(4), new SharedArrayBuffer(4)];
  const handler = new Worker(HANDLER, { eval: true, workerData: [asked, handled] });
  await once(handler, "message");
  let posted = 0;
  const port = {
    postMessage(batch: unknown) {
      if (batch instanceof ArrayBuffer) posted += batch.byteLength;
    },
  };
  const outbox = new ThreadOutbox(port, new Int32Array(handled), new ThreadMetrics(() => undefined));
  const request = new Uint8Array(256 * 1024);
  for (let n = 0; n < 3; n++) outbox.addBytes(ENTRY.message, 1, request);
  expect(Atomics.load(new Int32Array(handled), 0)).toBe(0);
  Atomics.store(new Int32Array(asked), 0, 1);
  Atomics.notify(new Int32Array(asked), 0);
  outbox.addBytes(ENTRY.message, 1, request);
  expect(posted).toBeGreaterThan(1024 * 1024);
  expect(Atomics.load(new Int32Array(handled), 0)).toBe(2 ** 21);
  await handler.terminate();
});

test("what is told in one turn goes out as one message, after what was counted", async () => {
  const posted: unknown[] = [];
  const metrics = new ThreadMetrics(() => outbox.schedule());
  const port = { postMessage: (message: unknown) => void posted.push(message) };
  const outbox = new ThreadOutbox(port, new Int32Array(new SharedArrayBuffer(4)), metrics);
  outbox.add(ENTRY.closed, 1);
  metrics.counter("handshakes", "").add(1, { result: "full" });
  outbox.addBytes(ENTRY.message, 2, new Uint8Array(3));
  await nextTurn();
  await nextTurn();
  expect(posted).toHaveLength(2);
  expect(posted[0]).toMatchObject({ kind: "counted", counts: [{ name: "handshakes", value: 1 }] });
  expect((posted[1] as ArrayBuffer).byteLength).toBe(9 + 9 + 3);
});
