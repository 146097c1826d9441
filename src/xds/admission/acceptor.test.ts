import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import { connect, type TLSSocket } from "node:tls";
import { afterEach, expect, test } from "vitest";
import { skipOnDeno } from "../../../test/support/needs.ts";
import { until } from "../../../test/support/until.ts";
import { testAuthority } from "../../../test/support/xds-mesh.ts";
import { type ManualClock, manualClock, metricsRegistry } from "../../lib/mod.ts";
import { createAcceptor } from "./acceptor.ts";

const authority = await testAuthority();
const credentials = await authority.server();
const proxy = await authority.sidecar({
  uuid: "3f5c9c1e-0000-4000-8000-000000000001",
  serviceAccount: "a",
  namespace: "b",
});
const opened: { destroy(): void }[] = [];

afterEach(() => {
  for (const one of opened.splice(0)) one.destroy();
});

async function startAcceptor(connectionsMax: number) {
  const clock: ManualClock = manualClock();
  const metrics = metricsRegistry();
  const letIn: TLSSocket[] = [];
  const acceptor = createAcceptor({
    credentials,
    connectionsMax,
    onConnection(socket, _certificate, conduct) {
      conduct.proven();
      letIn.push(socket);
    },
    onHeldBack: () => undefined,
    clock,
    metrics,
  });
  opened.push({
    destroy() {
      acceptor.close();
      void acceptor.destroy();
    },
  });
  const port = Number((await acceptor.listen("127.0.0.1:0")).split(":")[1]);
  const series = (wanted: string) => metrics.families().find(({ name }) => name === wanted)?.series ?? [];
  const turnedAway = (reason: string) =>
    series("osm_xds_connections_turned_away_total").find(({ labels }) => labels["reason"] === reason)?.value ?? 0;
  const value = (name: string) => series(name)[0]?.value ?? 0;
  return { port, clock, letIn, turnedAway, value };
}

/** Connects and says nothing. */
async function stranger(port: number): Promise<Socket> {
  const socket = createConnection(port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.resume();
  opened.push(socket);
  await once(socket, "connect");
  return socket;
}

function proxyConnection(
  port: number,
  {
    hasCertificate = true,
    localAddress = "127.0.0.1",
    maxVersion = "TLSv1.3",
  }: { hasCertificate?: boolean; localAddress?: string; maxVersion?: "TLSv1.2" | "TLSv1.3" } = {},
): TLSSocket {
  const { certificatePem: cert, privateKeyPem: key, rootsPem: ca } = proxy;
  const host = "127.0.0.1";
  const options = { port, host, localAddress, servername: "localhost", ca, ALPNProtocols: ["h2"], maxVersion };
  const own = hasCertificate ? { cert, key } : {};
  const socket = connect({ ...options, ...own, checkServerIdentity: () => undefined });
  socket.on("error", () => undefined);
  socket.resume();
  opened.push(socket);
  return socket;
}

test("strangers who say nothing keep no proxy out, however many they are", async () => {
  const { port, letIn, turnedAway } = await startAcceptor(30);
  const strangers: Socket[] = [];
  for (let n = 0; n < 60; n++) strangers.push(await stranger(port));
  proxyConnection(port);
  await until(() => letIn.length === 1);
  // Two thirds of 30; the proxy has taken the place of one.
  await until(() => strangers.filter(({ closed }) => closed).length >= 41);
  expect(strangers.map(({ closed }) => closed).indexOf(false), "the oldest are gone").toBe(41);
  expect([turnedAway("displaced"), turnedAway("full")]).toEqual([41, 0]);
});

test("who was let in is not ended for others' sake, and it is counted when there is no room for more", async () => {
  const { port, letIn, turnedAway } = await startAcceptor(3);
  for (let n = 1; n <= 3; n++) {
    proxyConnection(port);
    await until(() => letIn.length === n);
  }
  await once(await stranger(port), "close");
  await until(() => turnedAway("full") === 1);
  expect(letIn.some(({ destroyed }) => destroyed)).toBe(false);
});

test("who was let in over TLS 1.2 has no other handshake on its connection, which would wait in no queue", async (context) => {
  skipOnDeno(context, "renegotiation");
  const { port, letIn } = await startAcceptor(2);
  const client = proxyConnection(port, { maxVersion: "TLSv1.2" });
  await once(client, "secureConnect");
  await until(() => letIn.length === 1);
  letIn[0]?.resume();
  const answer = await new Promise((resolve) => {
    client.once("error", ({ code }: NodeJS.ErrnoException) => resolve(code));
    client.renegotiate({}, (error) => resolve(error ?? "renegotiated"));
  });
  expect(answer).toBe("ERR_SSL_NO_RENEGOTIATION");
});

test("the places of those who have left, were ended or had no certificate are free again", async () => {
  const { port, letIn, turnedAway } = await startAcceptor(2);
  for (let n = 1; n <= 6; n++) {
    const client = proxyConnection(port);
    await until(() => letIn.length === n);
    const server = letIn.at(-1);
    if (n % 2 === 0) client.destroy();
    else server?.destroy();
    await until(() => server?.closed === true);
    const foreign = proxyConnection(port, { hasCertificate: false });
    await until(() => foreign.closed);
  }
  expect([turnedAway("displaced"), turnedAway("full")]).toEqual([0, 0]);
});

test("who says nothing is let go in time, and counted", async () => {
  const { port, clock, turnedAway } = await startAcceptor(30);
  const silent = await stranger(port);
  const other = await stranger(port);
  other.write("GET /");
  await once(other, "close");
  const closed = once(silent, "close");
  clock.advance(10_000);
  await closed;
  expect(turnedAway("late")).toBe(1);
});

test("hundreds from an address that shows no certificate wait, and a proxy does not, wherever it comes from", async (context) => {
  skipOnDeno(context, "a client's own address");
  if (process.platform !== "linux") context.skip("unobtainable: a second address of the loopback interface");
  const { port, clock, letIn, value } = await startAcceptor(1000);
  const localAddress = "127.0.0.2";
  const foreign = () => proxyConnection(port, { hasCertificate: false, localAddress });
  for (let n = 0; n < 5; n++) {
    const refused = foreign();
    await until(() => refused.closed);
  }
  await until(() => value("osm_xds_addresses_held_back") === 1);
  for (let n = 0; n < 100; n++) foreign();
  await until(() => value("osm_xds_handshakes_held_back_total") === 100);
  proxyConnection(port);
  await until(() => letIn.length === 1);
  expect(value("osm_xds_handshakes_held_back")).toBeGreaterThan(90);
  proxyConnection(port, { localAddress });
  await until(() => value("osm_xds_handshakes_held_back_total") === 101);
  while (letIn.length === 1) {
    clock.advance(100);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await until(() => value("osm_xds_handshakes_held_back") === 0);
});

test("proxies that come back are let in side by side, also while each turn of the thread is long", async (context) => {
  skipOnDeno(context, "turns in which sockets take in one connection each");
  if (process.platform !== "linux") context.skip("unobtainable: sockets share a port's connections on Linux alone");
  const { port, turnedAway } = await startAcceptor(2);
  const arrived = Array.from({ length: 100 }, () => stranger(port));
  let turns = 0;
  await until(() => ++turns > 0 && turnedAway("displaced") >= 98);
  expect(turns, "one socket takes one connection in a turn").toBeLessThan(50);
  await Promise.all(arrived);
});
