import { connect, type TLSSocket } from "node:tls";
import { expect, test } from "vitest";
import { testAuthority } from "../../../test/support/xds-mesh.ts";
import { manualClock, metricsRegistry } from "../../lib/mod.ts";
import { tlsTransport } from "./tls-transport.ts";

const CLIENTS = 150;
/** A turn may take at most so many: 5,000 at once are a turn of half a second. */
const IN_ONE_TURN = 64;

/** How often something was done, in all and at most in one turn. */
function turnCounter() {
  const counter = { total: 0, most: 0, count };
  let inTurn = 0;
  function count() {
    if (inTurn === 0) setImmediate(() => (inTurn = 0));
    inTurn += 1;
    counter.total += 1;
    counter.most = Math.max(counter.most, inTurn);
  }
  return counter;
}

test("a shutdown tells connections some in each turn, and so ends those that do not go by themselves", async () => {
  const authority = await testAuthority();
  const { certificatePem, privateKeyPem, rootsPem } = await authority.sidecar({
    uuid: "3f5c9c1e-0000-4000-8000-000000000001",
    serviceAccount: "a",
    namespace: "b",
  });
  const clock = manualClock();
  const [told, ended] = [turnCounter(), turnCounter()];
  const open = new Set<TLSSocket>();
  const transport = tlsTransport(
    {
      accept: () => undefined,
      credentials: await authority.server(),
      limits: { connectionsMax: 1000, streamsPerConnectionMax: 1, requestBytesMax: 1, namesMax: 1 },
      onHeldBack: () => undefined,
      clock,
      metrics: metricsRegistry(),
    },
    (socket, _certificate, conduct) => {
      conduct.proven();
      open.add(socket);
      socket.once("close", () => open.delete(socket));
      return {
        isHeard: true,
        openStreams: 1,
        hasHadStream: true,
        ping: () => undefined,
        close: told.count,
        destroy() {
          ended.count();
          socket.destroy();
        },
      };
    },
  );
  const address = await transport.listen("127.0.0.1:0");
  const port = Number(address.split(":")[1]);
  const options = { cert: certificatePem, key: privateKeyPem, ca: rootsPem, ALPNProtocols: ["h2"] };
  const clients = Array.from({ length: CLIENTS }, () =>
    connect({ port, host: "127.0.0.1", ...options, checkServerIdentity: () => undefined })
      .on("error", () => undefined)
      .resume(),
  );
  await expect.poll(() => open.size, { timeout: 20_000 }).toBe(CLIENTS);

  let isClosed = false;
  const closing = transport.close().then(() => {
    isClosed = true;
  });
  await expect.poll(() => told.total).toBe(CLIENTS);
  expect(ended.total).toBe(0);
  await expect
    .poll(() => {
      clock.advance(100);
      return isClosed;
    })
    .toBe(true);
  await closing;
  for (const counter of [told, ended]) {
    expect(counter.total).toBe(CLIENTS);
    expect(counter.most).toBeLessThanOrEqual(IN_ONE_TURN);
  }
  await expect.poll(() => clients.filter((client) => !client.closed).length).toBe(0);
}, 60_000);
