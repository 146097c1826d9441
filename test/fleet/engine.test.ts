import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startFleet } from "../../src/fleet/fleet.ts";
import type { Behaviour, Fleet, ProxySpec } from "../../src/fleet/fleet-api.ts";
import { silentLog, systemClock } from "../../src/lib/mod.ts";
import { TYPE_URLS, XDS_TRANSPORTS } from "../../src/xds/mod.ts";
import { skipOnDeno } from "../support/needs.ts";
import { meshTable, startTestServer, type TestServer } from "./engine-server.ts";

const SHOPS = { books: "10.0.0.1", wine: "10.0.0.2" };
const IDS = [0, 1, 2, 3];
/** Nothing here takes long but on a machine that does something else; the test's own limit lies above. */
const PATIENCE_MS = 20_000;

/** A number that grows with each watch. */
let changes = 0;

describe.each(XDS_TRANSPORTS)("simulated Envoys against our own server on %s", (transport) => {
  let server: TestServer;
  let fleet: Fleet;

  beforeEach(async () => {
    server = await startTestServer(transport);
    server.publish(meshTable(1, { endpoints: SHOPS }));
  });
  afterEach(async () => {
    await fleet.stop();
    await server.close();
  });

  async function start(options: Partial<ProxySpec> & { processes?: number } = {}): Promise<void> {
    const { processes = 0, ...same } = options;
    const proxies = await Promise.all(
      IDS.map(async (id): Promise<ProxySpec> => {
        const nodeId = `3f5c9c1e-0000-4000-8000-00000000000${id}`;
        const { certificatePem, privateKeyPem } = await server.sidecar(nodeId);
        const own = { id, nodeId, certificatePem, privateKeyPem };
        return { ...own, protocol: "delta", behaviour: { kind: "normal" }, ...same };
      }),
    );
    const tls = { rootsPem: server.rootsPem, serverName: "localhost" };
    const target = { address: server.address, tls };
    fleet = await startFleet({ target, proxies, processes, clock: systemClock(), log: silentLog() });
  }

  /** Publishes a table in which a service has another address, and waits until the proxies have it. */
  async function move(generation: number, address: string, proxies?: readonly number[]) {
    const changeId = ++changes;
    const one = { changeId, typeUrl: TYPE_URLS.endpoints, name: "books", contains: address };
    await fleet.watch({ ...one, ...(proxies === undefined ? {} : { proxies }) });
    server.publish(meshTable(generation, { endpoints: { ...SHOPS, books: address } }));
    return await fleet.collect(changeId, PATIENCE_MS);
  }

  test.each(["delta", "sotw"] as const)("get all that Envoy asks for, once, on %s", async (protocol) => {
    await start({ protocol });
    const cold = await fleet.connect({ timeoutMs: PATIENCE_MS });
    expect(cold.missing).toEqual([]);
    expect(cold.repeated).toBe(0);
    const [first, ...others] = await fleet.tables();
    const names = Object.entries(first?.types ?? {}).map(([url, digest]) => [
      url.split(".").at(-1),
      [...digest.names.keys()],
    ]);
    expect(Object.fromEntries(names)).toEqual({
      Cluster: ["books", "wine"],
      ClusterLoadAssignment: ["books", "wine"],
      Secret: ["own"],
      Listener: ["outbound"],
      RouteConfiguration: ["outbound.80"],
    });
    for (const { types } of others) expect(types).toEqual(first?.types);
    const counts = await fleet.counts();
    expect(counts).toMatchObject({ nacks: 0, unrequested: 0, routesBeforeClusters: 0, listenersBeforeClusters: 0 });
    expect(counts).toMatchObject({ open: 4, warm: 4, acks: counts.responses, errors: {} });
  });

  test("get the same when they ask for endpoints one by one", async () => {
    await start({ endpointsOneByOne: true });
    expect((await fleet.connect({ timeoutMs: PATIENCE_MS })).missing).toEqual([]);
    expect((await fleet.tables())[0]?.types[TYPE_URLS.endpoints]?.names.size).toBe(2);
    expect((await fleet.counts()).repeated).toBe(0);
  });

  test("see a change, and say when", async () => {
    await start();
    await fleet.connect({ timeoutMs: PATIENCE_MS });
    const before = await fleet.counts();
    const startedNs = process.hrtime.bigint();
    const seen = await move(2, "10.0.0.9");
    expect(seen.missing).toEqual([]);
    for (const [index, arrivedNs] of seen.arrivedNs.entries()) {
      expect(arrivedNs > startedNs).toBe(true);
      expect((seen.acknowledgedNs[index] ?? 0n) >= arrivedNs).toBe(true);
    }
    const after = await fleet.counts();
    expect(after.responses - before.responses).toBe(IDS.length);
    expect(after.resources - before.resources).toBe(IDS.length);
    expect(Buffer.from((await fleet.resource(2, TYPE_URLS.endpoints, "books")) ?? []).includes("10.0.0.9")).toBe(true);
  });

  test("count endpoints that come again after their cluster changed apart from needless ones", async () => {
    await start();
    await fleet.connect({ timeoutMs: PATIENCE_MS });
    const changeId = ++changes;
    await fleet.watch({ changeId, typeUrl: TYPE_URLS.cluster, name: "books", contains: "second" });
    server.publish(meshTable(2, { endpoints: SHOPS, clusterText: "second" }));
    expect((await fleet.collect(changeId, PATIENCE_MS)).missing).toEqual([]);
    // The ACK of clusters waits for their endpoints, so these are here as well.
    const { requiredEndpoints, repeated, warmingTimeouts } = await fleet.counts();
    expect({ requiredEndpoints, repeated, warmingTimeouts }).toEqual({
      requiredEndpoints: 8,
      repeated: 0,
      warmingTimeouts: 0,
    });
  });

  test("follow removals and let go of what nothing names any more", async () => {
    await start();
    await fleet.connect({ timeoutMs: PATIENCE_MS });
    const changeId = ++changes;
    await fleet.watch({ changeId, typeUrl: TYPE_URLS.cluster, name: "wine", contains: "", absent: true });
    server.publish(meshTable(2, { endpoints: { books: SHOPS.books } }));
    expect((await fleet.collect(changeId, PATIENCE_MS)).missing).toEqual([]);
    expect(await fleet.resource(0, TYPE_URLS.endpoints, "wine")).toBeUndefined();
    expect(await fleet.resource(0, TYPE_URLS.endpoints, "books")).toBeDefined();
  });

  test("open again with their versions and get nothing twice, with the TLS session of before", async () => {
    await start();
    await fleet.connect({ timeoutMs: PATIENCE_MS });
    // Deno does not continue sessions of TLS clients.
    const resumed = "Deno" in globalThis ? 0 : 4;
    const again = await fleet.reopen({ timeoutMs: PATIENCE_MS });
    expect(again).toMatchObject({ missing: [], resources: 0, repeated: 0, handshakes: 4, resumed });
    const cold = await fleet.reopen({
      forget: true,
      withoutFin: true,
      withoutResumption: true,
      timeoutMs: PATIENCE_MS,
    });
    expect(cold).toMatchObject({ missing: [], repeated: 0, handshakes: 4, resumed: 0 });
    expect(cold.resources).toBe(IDS.length * 7);
    expect((await move(2, "10.0.0.9")).missing).toEqual([]);
  });

  test("open again on sotw and are sent everything, once: none of it counts as sent without need", async () => {
    await start({ protocol: "sotw" });
    const { resources } = await fleet.connect({ timeoutMs: PATIENCE_MS });
    const again = await fleet.reopen({ timeoutMs: PATIENCE_MS });
    expect(again).toMatchObject({ missing: [], resources, repeated: 0 });
    expect((await move(2, "10.0.0.9")).missing).toEqual([]);
    expect((await fleet.counts()).repeated).toBe(0);
  });

  test("open again after their connections were reset", async () => {
    await start();
    await fleet.connect({ timeoutMs: PATIENCE_MS });
    const again = await fleet.reopen({ reset: true, timeoutMs: PATIENCE_MS });
    expect(again).toMatchObject({ missing: [], resources: 0, handshakes: 4 });
    expect(await fleet.counts()).toMatchObject({ open: 4, warm: 4, errors: {} });
  });

  test("come back by themselves after a restart of the server", async () => {
    await start();
    await fleet.connect({ timeoutMs: PATIENCE_MS });
    const before = await fleet.counts();
    await server.restart(async () => expect.poll(async () => (await fleet.counts()).open).toBe(0));
    const back = await fleet.warm({ timeoutMs: PATIENCE_MS });
    expect(back.missing).toEqual([]);
    const { open, streams, resources } = await fleet.counts();
    expect({ open, streams, resources }).toEqual({ open: 4, streams: 8, resources: before.resources });
  });

  test("acknowledge a change that came just before the stream ended on the next one, which it is not sent on again", async () => {
    await start();
    await fleet.connect({ timeoutMs: PATIENCE_MS });
    const changed = move(2, "10.0.0.9");
    // The change is written, and nobody has read it yet.
    for (let n = 0; n < 100; n++) await Promise.resolve();
    await server.restart(async () => expect.poll(async () => (await fleet.counts()).open).toBe(0));
    expect((await changed).missing).toEqual([]);
    expect((await fleet.counts()).repeated).toBe(0);
  });

  test.each<[string, Behaviour, Partial<Record<"acks" | "nacks", number>>]>([
    ["one that never answers", { kind: "never-ack" }, { acks: 0 }],
    ["one that refuses everything", { kind: "nack", share: 1 }, { nacks: 1 }],
  ])("%s does not keep others from a change", async (_what, behaviour, expected) => {
    await start();
    await fleet.connect({ timeoutMs: PATIENCE_MS });
    await fleet.setBehaviour([0], behaviour);
    const before = await fleet.counts();
    expect((await move(2, "10.0.0.9", [1, 2, 3])).missing).toEqual([]);
    await expect.poll(async () => (await fleet.counts()).responses - before.responses).toBe(IDS.length);
    const after = await fleet.counts();
    expect({ acks: after.acks - before.acks - 3, nacks: after.nacks - before.nacks }).toMatchObject(expected);
  });

  test("one that reads nothing is not warm, and is when it reads again", async () => {
    await start();
    await fleet.setBehaviour([1], { kind: "slow-reader", bytesPerSecond: 0 });
    const cold = await fleet.connect({ timeoutMs: 300 });
    expect(cold.missing).toContain(1);
    expect((await fleet.counts()).errors).toEqual({ timeout: cold.missing.length });
    await fleet.setBehaviour([1], { kind: "normal" });
    expect((await fleet.warm({ timeoutMs: PATIENCE_MS })).missing).toEqual([]);
  });

  test("one that vanishes keeps its connection and says nothing more", async () => {
    await start();
    await fleet.connect({ timeoutMs: PATIENCE_MS });
    await fleet.setBehaviour([3], { kind: "vanish", afterMs: 0 });
    await expect.poll(async () => (await fleet.counts()).warm).toBe(3);
    expect((await move(2, "10.0.0.9", [0, 1, 2])).missing).toEqual([]);
    expect((await fleet.counts()).errors).toEqual({});
  });

  test.each([
    { kind: "vanish", afterMs: 0 },
    { kind: "nack", share: 1 },
    { kind: "never-ack" },
  ] as const satisfies readonly Behaviour[])(
    "one that was ill ($kind) is well again when it is told to",
    async (ill) => {
      await start();
      await fleet.connect({ timeoutMs: PATIENCE_MS });
      await fleet.setBehaviour([3], ill);
      if (ill.kind === "vanish") await expect.poll(async () => (await fleet.counts()).warm).toBe(3);
      expect((await move(2, "10.0.0.8", [0, 1, 2])).missing).toEqual([]);
      if (ill.kind === "nack") await expect.poll(async () => (await fleet.counts()).nacks).toBe(1);
      await fleet.setBehaviour([3], { kind: "normal" });
      expect(await fleet.counts()).toMatchObject({ open: 4, warm: 4, errors: {} });
      const [first, , , last] = await fleet.tables();
      expect(last?.types).toEqual(first?.types);
      expect((await move(3, "10.0.0.9")).missing).toEqual([]);
    },
  );

  test("are one fleet in several processes, and say so when one of these is gone", async (context) => {
    // Only Node sends arrays of numbers between processes as they are.
    skipOnDeno(context, "way to send arrays of numbers to another process");
    await start({ processes: 2 });
    expect((await fleet.connect({ timeoutMs: PATIENCE_MS })).missing).toEqual([]);
    const seen = await move(2, "10.0.0.9");
    expect(seen.missing).toEqual([]);
    expect([...seen.proxies].sort()).toEqual(IDS);
    expect(await fleet.counts()).toMatchObject({ open: 4, warm: 4, errors: {} });
    const tables = await fleet.tables();
    expect(tables.map(({ id }) => id)).toEqual(IDS);
    expect(new Set(tables.map(({ types }) => types[TYPE_URLS.endpoints]?.digest)).size).toBe(1);
    expect(await fleet.resource(3, TYPE_URLS.cluster, "wine")).toBeInstanceOf(Uint8Array);
    const [first] = await fleet.usage();
    process.kill(first?.pid ?? 0, "SIGKILL");
    await expect.poll(() => fleet.counts().catch((error: Error) => error.message)).toContain("SIGKILL");
  });
});
