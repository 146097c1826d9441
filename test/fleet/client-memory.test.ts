import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterEach, expect, test } from "vitest";
import { startFleet } from "../../src/fleet/fleet.ts";
import type { ProxySpec } from "../../src/fleet/fleet-api.ts";
import { silentLog, systemClock } from "../../src/lib/mod.ts";
import { skipOnDeno } from "../support/needs.ts";
import { meshTable, startTestServer } from "./engine-server.ts";

const PROXIES = 60;
/** With so many, what a proxy says first fills most of a slab of Node's pool. */
const SERVICES = 300;
/** Of buffers, for each proxy: its ticket, its secret, and a share of what all of them hold together. */
const KEPT_BYTES_MAX = 12_000;

const root = mkdtempSync(join(tmpdir(), "osm-client-memory-"));
const file = join(root, "bytes");
const nodeOptions = process.env["NODE_OPTIONS"];
afterEach(() => {
  if (nodeOptions === undefined) delete process.env["NODE_OPTIONS"];
  else process.env["NODE_OPTIONS"] = nodeOptions;
  rmSync(root, { recursive: true, force: true });
});

/** Has the fleet's process collect its garbage again and again, and write how many bytes of buffers are left. */
const TELLING = `
  import { renameSync, writeFileSync } from "node:fs";
  import { setFlagsFromString } from "node:v8";
  import { runInNewContext } from "node:vm";
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc");
  setInterval(() => {
    gc();
    writeFileSync(${JSON.stringify(`${file}.next`)}, String(process.memoryUsage().arrayBuffers));
    renameSync(${JSON.stringify(`${file}.next`)}, ${JSON.stringify(file)});
  }, 50).unref();`;

test("proxies that have reconnected several times hold no slab of small buffers each", async (context) => {
  skipOnDeno(context, "collector that can be asked");
  const server = await startTestServer("framed");
  const services = Array.from({ length: SERVICES }, (_, n) => `service-${n}`);
  server.publish(meshTable(1, { endpoints: Object.fromEntries(services.map((name) => [name, "10.0.0.1"])) }));
  const proxies = await Promise.all(
    Array.from({ length: PROXIES }, async (_, id): Promise<ProxySpec> => {
      const nodeId = `3f5c9c1e-0000-4000-8000-${String(id).padStart(12, "0")}`;
      const { certificatePem, privateKeyPem } = await server.sidecar(nodeId);
      return { id, nodeId, certificatePem, privateKeyPem, protocol: "delta", behaviour: { kind: "normal" } };
    }),
  );
  process.env["NODE_OPTIONS"] = `--import=data:text/javascript,${encodeURIComponent(TELLING)}`;
  const target = { address: server.address, tls: { rootsPem: server.rootsPem, serverName: "localhost" } };
  const fleet = await startFleet({ target, proxies, processes: 1, clock: systemClock(), log: silentLog() });
  try {
    expect((await fleet.connect()).missing).toEqual([]);
    const before = await left();
    // One after the other, so that what each says lies between what they keep.
    const perSecond = 2 * PROXIES;
    for (let time = 0; time < 3; time++) expect((await fleet.reopen({ perSecond })).missing).toEqual([]);
    expect(((await left()) - before) / PROXIES).toBeLessThan(KEPT_BYTES_MAX);
  } finally {
    await fleet.stop();
    await server.close();
  }
});

/** Bytes of buffers, once as many are left as the time before. */
async function left(): Promise<number> {
  let last = Number.NaN;
  await expect
    .poll(
      () => {
        const now = existsSync(file) ? Number(readFileSync(file, "utf8")) : Number.NaN;
        rmSync(file, { force: true });
        const isSettled = now === last;
        if (!Number.isNaN(now)) last = now;
        return isSettled;
      },
      { interval: 100, timeout: 20_000 },
    )
    .toBe(true);
  return last;
}
