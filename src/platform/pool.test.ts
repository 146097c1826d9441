import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Misdeed } from "../../test/support/misbehaving-worker.ts";
import { metricsRegistry, silentLog, systemClock } from "../lib/mod.ts";
import { inlinePool, type Pool, PoolError, runTwice, startPool } from "./pool.ts";

const clock = systemClock();
let dir: string;
let files = 0;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "osm-pool-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const pools: Pool<Misdeed, number>[] = [];
afterEach(() => Promise.all(pools.splice(0).map((pool) => pool.close())));

function start(
  options: {
    readonly threads?: number;
    readonly timeoutMs?: number;
    readonly queueMax?: number;
    readonly idleMs?: number;
  } = {},
) {
  const metrics = metricsRegistry();
  const pool = startPool<Misdeed, number>({
    name: "test",
    entry: new URL("../../test/support/misbehaving-worker.ts", import.meta.url),
    function: "misbehave",
    threads: 1,
    timeoutMs: 10_000,
    queueMax: 10,
    heapMaxMb: 40,
    clock,
    log: silentLog(),
    metrics,
    ...options,
  });
  pools.push(pool);
  return { pool, metrics };
}

const once = () => join(dir, String(files++));

describe.each(["throw", "exit", "crash", "grow"] as const)("a job whose worker does %s", (what) => {
  test("fails alone, and the pool goes on", async () => {
    const { pool } = start({ timeoutMs: what === "grow" ? 2500 : 10_000 });
    const failing = pool.run({ what });
    const next = pool.run({ what: "answer" });
    // Deno sets threads no heap limit: there the time limit ends it.
    const code = what === "grow" ? expect.stringMatching("failed|timeout") : "failed";
    await expect(failing).rejects.toMatchObject({ name: "PoolError", code });
    expect(await next).toBeGreaterThan(0);
  });

  test("succeeds when the second attempt does", async () => {
    const { pool } = start({ timeoutMs: what === "grow" ? 2500 : 10_000 });
    expect(await runTwice(pool, { what, once: once() })).toBeGreaterThan(0);
  });
});

describe("a job that hangs", () => {
  test("is stopped after its time and does not take the jobs behind it along", async () => {
    const { pool, metrics } = start({ timeoutMs: 10_000 });
    await pool.run({ what: "answer" });
    const hanging = pool.run({ what: "hang" }, 200);
    const behind = pool.run({ what: "answer" });
    await expect(hanging).rejects.toMatchObject({ code: "timeout" });
    expect(await behind).toBeGreaterThan(0);
    const failures = metrics.families().find((family) => family.name === "osm_worker_job_failures_total");
    expect(failures?.series).toMatchObject([{ labels: { pool: "test", reason: "timeout" }, value: 1 }]);
  });

  test("is tried once more on another thread", async () => {
    const { pool } = start({ timeoutMs: 2000 });
    const first = await pool.run({ what: "answer" });
    expect(await runTwice(pool, { what: "hang", once: once() })).not.toBe(first);
  });
});

test("a queue that is full refuses at once instead of growing", async () => {
  const { pool } = start({ queueMax: 2 });
  const jobs = [1, 2, 3, 4].map(() => pool.run({ what: "answer" }));
  await expect(jobs[3]).rejects.toMatchObject({ code: "full" });
  await Promise.all(jobs.slice(0, 3));
});

test("closing a pool ends what hangs in it", async () => {
  const { pool } = start();
  const hanging = pool.run({ what: "hang" });
  const behind = pool.run({ what: "answer" });
  const ends = [
    expect(hanging).rejects.toBeInstanceOf(PoolError),
    expect(behind).rejects.toMatchObject({ code: "closed" }),
  ];
  await pool.close();
  await Promise.all(ends);
  await expect(pool.run({ what: "answer" })).rejects.toMatchObject({ code: "closed" });
});

test("without threads the same jobs run on the main thread, one at a time", async () => {
  let active = 0;
  let most = 0;
  const pool = inlinePool<number, number>({
    name: "test",
    clock,
    log: silentLog(),
    metrics: metricsRegistry(),
    load: async () => async (job) => {
      most = Math.max(most, ++active);
      await Promise.resolve();
      active -= 1;
      if (job === 2) throw new Error("no two");
      return job * 2;
    },
  });
  const results = await Promise.allSettled([pool.run(1), pool.run(2), pool.run(3)]);
  expect(results.map((result) => (result.status === "fulfilled" ? result.value : String(result.reason)))).toEqual([
    2,
    "PoolError: A test worker failed: no two",
    6,
  ]);
  expect(most).toBe(1);
});
