/** Threads that carry connections: what they do for proper clients is in server.test.ts, what befalls them is here. */
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BroadcastChannel } from "node:worker_threads";
import { afterEach, beforeAll, expect, test } from "vitest";
import { jsonLog, manualClock, metricsRegistry, systemClock } from "../../src/lib/mod.ts";
import { startXdsServer, TYPE_URLS, type XdsServerOptions } from "../../src/xds/mod.ts";
import { type ClientCredentials, connectDelta, type DeltaClient } from "../support/delta-client.ts";
import { MISDEEDS, type StreamMisdeed } from "../support/misbehaving-streams.ts";
import { skipOnDeno } from "../support/needs.ts";
import { until } from "../support/until.ts";
import { type TestAuthority, testAuthority, testTables } from "../support/xds-mesh.ts";
import { tableOf } from "./conversation.ts";

const BUYER = { uuid: "3f5c9c1e-0000-4000-8000-000000000001", serviceAccount: "bookbuyer", namespace: "shop" };
/** So many that the system deals some of them to each of two threads. */
const CLIENTS = 16;
/** Of gRPC: there is no connection. */
const UNAVAILABLE = 14;

let authority: TestAuthority;
let buyer: ClientCredentials;
const opened: { close(): unknown }[] = [];

beforeAll(async () => {
  authority = await testAuthority();
  buyer = await authority.sidecar(BUYER);
});
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

async function startServer(count: number, options: Partial<XdsServerOptions> = {}) {
  const tables = testTables();
  tables.publish(tableOf(1, new Map([["cds/shop", "c1"]])));
  const metrics = metricsRegistry();
  const logged: string[] = [];
  const entry = new URL("../support/misbehaving-streams.ts", import.meta.url);
  const server = await startXdsServer({
    addresses: ["127.0.0.1:0"],
    credentials: await authority.server(),
    streamThreads: { count, entry, random: () => 0 },
    authenticate: () => ({ ...BUYER, pod: "bookbuyer-1" }),
    tables,
    observe: nobody,
    clock: systemClock(),
    log: jsonLog({ write: (line) => logged.push(line), now: () => 0 }),
    metrics,
    // A heap that a test can fill.
    limits: { connectionsMax: 100, streamsPerPeerMax: 1000 },
    ...options,
  });
  opened.push(server);
  const [address = ""] = server.addresses;
  const deaths = () =>
    metrics.families().find(({ name }) => name === "osm_xds_stream_thread_deaths_total")?.series[0]?.value ?? 0;
  return { server, tables, logged, address, deaths };
}

/**
 * Connects until it is served, as a proxy does: a connection that a dying thread was dealt is lost, and on a busy machine a
 * handshake may take longer than the server waits. The test's own time limit ends it.
 */
async function served(address: string): Promise<DeltaClient> {
  for (;;) {
    const client = connectDelta({ address, credentials: buyer });
    opened.push(client);
    client.send({ typeUrl: TYPE_URLS.cluster });
    const first = await client.next().catch(async (error: unknown) => {
      if ((await client.ended).code !== UNAVAILABLE) throw error;
    });
    if (first === undefined) continue;
    client.ack(first);
    return client;
  }
}

function misbehave(what: StreamMisdeed["what"]): void {
  const folder = mkdtempSync(join(tmpdir(), "stream-threads-"));
  const channel = new BroadcastChannel(MISDEEDS);
  opened.push({ close: () => channel.close() }, { close: () => rmSync(folder, { recursive: true }) });
  channel.postMessage({ what, once: join(folder, "done") } satisfies StreamMisdeed);
}

// Deno does not bound the heap of a thread.
test.each(["Deno" in globalThis ? [] : ["grow" as const], "throw" as const, "exit" as const].flat())(
  "a stream thread that dies (%s) costs its own proxies their streams, and the next one takes its place",
  async (what) => {
    const { tables, logged, address, deaths } = await startServer(2);
    const clients = await Promise.all(Array.from({ length: CLIENTS }, () => served(address)));
    const ended = new Set<DeltaClient>();
    for (const client of clients) void client.ended.then(() => ended.add(client));
    misbehave(what);
    await until(() => deaths() === 1 && ended.size === CLIENTS - tables.subscribers);
    expect(ended.size).toBeGreaterThan(0);
    expect(ended.size).toBeLessThan(CLIENTS);
    expect(logged.filter((line) => line.includes("a stream thread died"))).toHaveLength(1);

    tables.publish(tableOf(2, new Map([["cds/shop", "c2"]])));
    for (const client of clients) if (!ended.has(client)) expect((await client.next()).systemVersionInfo).toBe("2");
    await Promise.all(Array.from({ length: CLIENTS }, () => served(address)));
    expect(deaths()).toBe(1);
  },
);

test("a stream thread that hangs is replaced", async (context) => {
  skipOnDeno(context, "means to end a thread that hangs");
  const clock = manualClock(Date.now());
  const { tables, address, deaths } = await startServer(1, { clock });
  const client = await served(address);
  misbehave("hang");
  // The thread hangs when it has been told to, which takes as long as this machine takes; the test's own limit is the end.
  while (deaths() === 0) {
    // What the thread had said before it hung is heard first.
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    clock.advance(5_000);
  }
  expect((await client.ended).code).toBeGreaterThan(0);
  expect(tables.subscribers).toBe(0);
  clock.advance(1_000);
  while (!(await listens(address))) await new Promise((resolve) => setImmediate(resolve));
  await served(address);
});

test("another process on the same port is an error, and not a part of the proxies lost to it", async () => {
  const { address } = await startServer(1);
  await expect(startServer(1, { addresses: [address] })).rejects.toThrow(`cannot listen for proxies on ${address}`);
});

const nothing = () => undefined;
const nobody: XdsServerOptions["observe"] = {
  connected: nothing,
  disconnected: nothing,
  sent: nothing,
  acked: nothing,
  nacked: nothing,
  held: nothing,
  settled: nothing,
};

function listens(address: string): Promise<boolean> {
  const [host = "", port = ""] = address.split(":");
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(port) });
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
