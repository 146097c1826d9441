import { afterEach, describe, expect, test, vi } from "vitest";
import { manualClock, metricsRegistry, silentLog } from "../../src/lib/mod.ts";
import { type Pool, startPool } from "../../src/platform/mod.ts";
import type { GenerateJob, GenerateResult } from "../../workers/messages.ts";
import { peerOf, pushBench, quiet, tableContent } from "../support/push-bench.ts";
import {
  endpointSlice,
  httpMatch,
  httpRouteGroup,
  meshConfig,
  namespaceRecord,
  podRecord,
  put,
  servicePort,
  serviceRecord,
  trafficSplit,
  trafficTarget,
} from "../support/records.ts";

const pools: Pool<GenerateJob, GenerateResult>[] = [];
afterEach(() => Promise.all(pools.splice(0).map((pool) => pool.close())));

const LIMIT_MS = 2000;
/** Threads load as slowly as the machine is busy: no more than a bound on a test that hangs. */
const PATIENCE = { timeout: 60_000 };

function threads(file: string, name: string, workerData?: Int32Array) {
  const clock = manualClock();
  const pool = startPool<GenerateJob, GenerateResult>({
    name: "generate",
    entry: new URL(file, import.meta.url),
    function: name,
    threads: 1,
    timeoutMs: LIMIT_MS,
    queueMax: 100,
    heapMaxMb: 128,
    workerData,
    clock,
    log: silentLog(),
    metrics: metricsRegistry(),
  });
  pools.push(pool);
  return { pool, clock };
}

/** Threads that hang over some views. Their time is up when one says that it does, however long it took to get there. */
function poisoned() {
  const hanging = new Int32Array(new SharedArrayBuffer(4));
  const { pool, clock } = threads("../support/misbehaving-generate.ts", "generateUnlessPoisoned", hanging);
  const endHanging = () => {
    if (Atomics.exchange(hanging, 0, 0) === 1) clock.advance(LIMIT_MS);
  };
  return { pool, endHanging };
}

const buyer = podRecord("shop", "buyer-1", "buyer", "10.0.0.1");
const good = podRecord("shop", "good-1", "good", "10.0.1.1");

function service(name: string, address: string) {
  const record = serviceRecord("shop", name, { clusterIps: [address], ports: [servicePort({ targetPort: 8080 })] });
  return put(
    record,
    podRecord("shop", `${name}-1`, name, `10.0.1.${address.split(".")[3]}`),
    endpointSlice(record, []),
  );
}

test("threads generate the same bytes as the main thread", async () => {
  const [here, there] = [
    pushBench(),
    pushBench({ pool: threads("../../workers/generate.ts", "generateInThread").pool }),
  ];
  const tables = await Promise.all(
    [here, there].map(async (bench) => {
      const proxy = bench.subscribe(peerOf(buyer));
      bench.change([...put(namespaceRecord("shop"), buyer), ...service("good", "10.96.0.1")]);
      await expect.poll(() => proxy.current(), PATIENCE).toBeDefined();
      return tableContent(proxy.current());
    }),
  );
  expect(Object.keys(tables[0] ?? {}).length).toBeGreaterThan(5);
  expect(tables[1]).toEqual(tables[0]);
}, 90_000);

describe.each(["throws", "exits", "hangs"])("a view whose generation %s", (name) => {
  test("is named, and every other resource reaches the proxy", async () => {
    const { pool, endHanging } = poisoned();
    const bench = pushBench({ pool });
    const proxy = bench.subscribe(peerOf(buyer));
    bench.change([...put(namespaceRecord("shop"), buyer), ...service("good", "10.96.0.1")]);
    await expect.poll(() => proxy.current()?.generation, PATIENCE).toBe(1);
    bench.change([...service(name, "10.96.0.2"), ...service("better", "10.96.0.3")]);
    const generation = () => {
      endHanging();
      return proxy.current()?.generation;
    };
    await expect.poll(generation, PATIENCE).toBe(2);
    const content = Object.keys(tableContent(proxy.current()));
    expect(content).toContain("cluster shop/better|8080");
    expect(content).toContain("endpoints shop/good|8080");
    expect(content).not.toContain(`cluster shop/${name}|8080`);
    expect(bench.errors.map((fields) => fields["view"])).toEqual([`upstream-cluster shop/${name}|8080`]);
  }, 150_000);
});

test("an edited weight, a caller more and an endpoint more reach their proxies while no worker answers", async () => {
  let isSilent = false;
  const { generateJob } = await import("../../workers/generate.ts");
  const pool: Pool<GenerateJob, GenerateResult> = {
    run: async (job) => (isSilent ? new Promise(() => undefined) : generateJob(job)),
    close: async () => undefined,
  };
  const bench = pushBench({ pool, writesCheapViews: true });
  const [client, server] = [bench.subscribe(peerOf(buyer)), bench.subscribe(peerOf(good))];
  const record = serviceRecord("shop", "good", { clusterIps: ["10.96.0.1"] });
  const rules = [{ kind: "HTTPRouteGroup", name: "routes", matches: ["any"] }] as const;
  const target = (...from: readonly string[]) => trafficTarget("shop", "to-good", { to: "shop/good", from, rules });
  const split = (weight: number) => trafficSplit("shop", "split", "good", { good: weight, "good-v2": 1 });
  bench.change([
    ...put(
      namespaceRecord("shop"),
      meshConfig({ isPermissive: false }),
      buyer,
      good,
      record,
      endpointSlice(record, []),
    ),
    ...put(httpRouteGroup("shop", "routes", [httpMatch("any")]), target("shop/buyer"), split(1)),
    ...service("good-v2", "10.96.0.2"),
  ]);
  await expect.poll(() => server.current()?.generation).toBe(1);
  isSilent = true;
  bench.change(put(target("shop/buyer", "shop/other"), split(2), endpointSlice(record, [good])));
  await expect.poll(() => [client.calls(), server.calls()]).toEqual([2, 2]);
});

test("what cannot be written on the main thread is left to a worker, and costs nobody the push", async () => {
  const bench = pushBench({
    generateHere(view) {
      throw new Error(`thrown on purpose: ${view.name}`);
    },
  });
  const proxy = bench.subscribe(peerOf(buyer));
  bench.change([...put(namespaceRecord("shop"), buyer), ...service("good", "10.96.0.1")]);
  await expect.poll(() => proxy.current()?.generation).toBe(1);
  expect(Object.keys(tableContent(proxy.current()))).toContain("endpoints shop/good|8080");
  expect(bench.errors).toEqual([]);
});

/** A proxy that waits for an endpoint which no worker can write at first. */
async function broken() {
  let isBroken = false;
  const { generateJob } = await import("../../workers/generate.ts");
  const pool: Pool<GenerateJob, GenerateResult> = {
    async run(job) {
      const result = generateJob(job);
      if (!isBroken) return result;
      return {
        ...result,
        entries: result.entries.map((entry) =>
          "name" in entry && entry.name.startsWith("shop/") ? { error: "broken" } : entry,
        ),
      };
    },
    close: async () => undefined,
  };
  const bench = pushBench({ pool });
  const proxy = bench.subscribe(peerOf(buyer));
  const record = serviceRecord("shop", "good", { clusterIps: ["10.96.0.1"] });
  bench.change(put(namespaceRecord("shop"), buyer, good, record, endpointSlice(record, [])));
  await expect.poll(() => proxy.current()?.generation).toBe(1);
  const before = tableContent(proxy.current());
  isBroken = true;
  bench.change(put(endpointSlice(record, [good])));
  await expect.poll(() => bench.errors.length).toBe(1);
  const mend = () => {
    isBroken = false;
  };
  return { bench, proxy, before, mend };
}

test("a resource that cannot be generated again stays as it last was, until its view can be", async () => {
  const { bench, proxy, before, mend } = await broken();
  await expect.poll(() => bench.pushes.length).toBe(2);
  expect(tableContent(proxy.current())).toEqual(before);
  bench.clock.advance(10_000);
  await expect.poll(() => bench.errors.length).toBe(2);
  mend();
  bench.clock.advance(39_000);
  await quiet();
  expect(proxy.calls()).toBe(1);
  bench.clock.advance(1000);
  await expect.poll(() => proxy.calls()).toBe(2);
  expect(tableContent(proxy.current())["endpoints shop/good|8080"]).not.toBe(before["endpoints shop/good|8080"]);
});

test("a view whose time comes while a push is under way is tried after it", async () => {
  const { bench, proxy, before, mend } = await broken();
  const endpoints = () => tableContent(proxy.current())["endpoints shop/good|8080"];
  await expect.poll(() => bench.pushes.length).toBe(2);
  mend();
  bench.clock.advance(9999);
  const late = bench.clock.monotonic() + 1;
  bench.engine.subscribe(peerOf(buyer), () => vi.spyOn(bench.clock, "monotonic").mockReturnValue(late));
  bench.change(service("better", "10.96.0.3"));
  await quiet();
  expect(endpoints()).toBe(before["endpoints shop/good|8080"]);
  vi.restoreAllMocks();
  bench.clock.advance(1);
  await quiet();
  expect(endpoints()).not.toBe(before["endpoints shop/good|8080"]);
});
