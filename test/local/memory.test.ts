import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeEach, expect, test, vi } from "vitest";
import { startServe } from "../../src/main/mod.ts";
import { skipUnless } from "../support/needs.ts";

const bookstore = fileURLToPath(new URL("../../demo/bookstore", import.meta.url));
const root = mkdtempSync(join(tmpdir(), "osm-memory-"));
const STARTS = 3;
const anyPort = { host: "127.0.0.1", port: 0 };
afterAll(() => rmSync(root, { recursive: true, force: true }));
beforeEach((context) => skipUnless(context, "pods"));

/** Serves the bookstore with its pods and gives the control plane's resident memory once all of them are ready. */
async function residentMiB(workers: number): Promise<number> {
  const where = { dir: bookstore, hasPods: true, stateDir: join(root, "state"), caDir: join(root, "ca") };
  const names = { meshName: "osm", osmNamespace: "osm-system", trustDomain: "cluster.local" };
  const running = await startServe(
    { ...where, ...names, workers, xds: anyPort, admin: anyPort },
    { write: () => undefined, note: () => undefined, env: process.env },
  );
  try {
    await running.ready;
    const status = readFileSync(`/proc/${running.controlPlanePid()}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
  } finally {
    await running.stop();
  }
}

test.each([
  { workers: 1, atMostMiB: 130 },
  { workers: 0, atMostMiB: 90 },
])("the control plane of the bookstore with --workers $workers needs less than $atMostMiB MiB", async (goal) => {
  vi.stubEnv("NODE_COMPILE_CACHE", join(root, "compiled-code"));
  // Only the second start finds its code compiled.
  await residentMiB(goal.workers);
  // By when V8 last collected, starts lie within 2 MiB of each other: what most of them need counts, not the luckiest.
  const starts: number[] = [];
  for (let start = 0; start < STARTS; start++) starts.push(await residentMiB(goal.workers));
  const [, middle] = starts.sort((left, right) => left - right);
  expect(middle, `of ${starts.map((mib) => mib.toFixed(1)).join(", ")} MiB`).toBeLessThan(goal.atMostMiB);
});
