import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { INSPECT, openProbe } from "../../bench/process-probe.ts";

/** Works for 50 ms, and says so, whenever it hears anything. */
const WORKING = `
process.stdin.on("data", () => {
  const { user, system } = process.cpuUsage();
  for (let now = { user, system }; now.user + now.system < user + system + 50_000; now = process.cpuUsage());
  console.log("done");
});
console.log("ready");
`;

/** Two threads that keep much; the second ends as soon as the process hears anything. */
const WITH_THREADS = `
const { Worker } = require("node:worker_threads");
const code = \`
  const { parentPort } = require("node:worker_threads");
  globalThis.kept = Array.from({ length: 200_000 }, (_, n) => ({ n }));
  parentPort.on("message", () => undefined);
  parentPort.postMessage("here");
\`;
const threads = [1, 2].map(() => new Worker(code, { eval: true }));
let here = 0;
for (const thread of threads) thread.on("message", () => ++here === 2 && console.log("ready"));
process.stdin.on("data", () => threads[1].terminate());
`;

async function started(program: string) {
  const child = spawn(process.execPath, [INSPECT, "-e", program]);
  let words = "";
  child.stderr.on("data", (chunk) => {
    words += chunk;
  });
  await once(child.stdout, "data");
  return { child, probe: await openProbe(words), [Symbol.dispose]: () => void child.kill("SIGKILL") };
}

test("a thread that ends while heaps are counted is left out, and the others are counted", async () => {
  using looked = await started(WITH_THREADS);
  const { child, probe } = looked;
  const first = probe.workerCensus();
  child.stdin.write("end one\n");
  expect((await first).keptBytes).toBeGreaterThan(200_000 * 12);
  expect((await probe.workerCensus()).keptBytes).toBeGreaterThan(200_000 * 12);
});

test("what a process works in one turn is noted as one", async () => {
  using looked = await started(WORKING);
  const { child, probe } = looked;
  await probe.turns();
  child.stdin.write("work\n");
  await once(child.stdout, "data");
  const worked: number[] = [];
  // A turn is noted when it ends, which may be after it has said so.
  const longest = async () => {
    worked.push(...(await probe.turns()).workedMs);
    return Math.max(...worked);
  };
  await expect.poll(longest).toBeGreaterThan(40);
});
