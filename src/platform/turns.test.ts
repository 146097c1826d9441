import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import { workedMs } from "./mod.ts";

/** Works for 300 ms of its thread's time, however busy the machine is, and says that it has. */
const BUSY = `
const { parentPort } = require("node:worker_threads");
const worked = () => { const { user, system } = process.threadCpuUsage(); return (user + system) / 1000; };
const begun = worked();
while (worked() - begun < 300);
parentPort.postMessage("done");
`;

test("what another thread works is not laid to the handshakes that this one lets in", async (context) => {
  if (process.threadCpuUsage === undefined) context.skip("unobtainable: this Node does not tell a thread's time");
  const worker = new Worker(BUSY, { eval: true });
  const isDone = once(worker, "message");
  await once(worker, "online");
  const before = workedMs();
  await isDone;
  expect(workedMs() - before).toBeLessThan(150);
  await worker.terminate();
}, 20_000);

test("what this thread works is seen", () => {
  const before = workedMs();
  const startedMs = performance.now();
  while (workedMs() - before < 20 && performance.now() - startedMs < 10_000);
  expect(workedMs() - before).toBeGreaterThanOrEqual(20);
}, 20_000);
