import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { INSPECT, openProbe } from "../../bench/process-probe.ts";

/** Two threads that keep much; the second ends as soon as the process hears anything. */
const PROGRAM = `
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

test("a thread that ends while heaps are counted is left out, and the others are counted", async () => {
  const child = spawn(process.execPath, [INSPECT, "-e", PROGRAM]);
  try {
    let words = "";
    child.stderr.on("data", (chunk) => {
      words += chunk;
    });
    await once(child.stdout, "data");
    const probe = await openProbe(words);
    const [first] = await Promise.all([probe.workerCensus(), child.stdin.write("end one\n")]);
    expect(first.keptBytes).toBeGreaterThan(200_000 * 12);
    expect((await probe.workerCensus()).keptBytes).toBeGreaterThan(200_000 * 12);
    probe.close();
  } finally {
    child.kill("SIGKILL");
  }
});
