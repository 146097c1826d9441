import { X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { jsonLog, metricsRegistry, systemClock } from "../lib/mod.ts";
import { DEFAULT_SETTINGS } from "../mesh/mod.ts";
import { openMeshSecrets } from "./mesh-secrets.ts";

const caDir = mkdtempSync(join(tmpdir(), "osm-secrets-"));
afterAll(() => rmSync(caDir, { recursive: true }));
const buyer = { namespace: "shop", serviceAccount: "buyer" };

test("a leaf's version says issuer, serial and expiry, so that another replica knows whether it is still good", async () => {
  const lines: string[] = [];
  const metrics = metricsRegistry();
  const changed = Promise.withResolvers<void>();
  const secrets = await openMeshSecrets({
    caDir,
    trustDomain: "cluster.local",
    osmNamespace: "osm-system",
    hasThread: false,
    settings: DEFAULT_SETTINGS,
    onChange: () => changed.resolve(),
    clock: systemClock(),
    random: () => 0.5,
    log: jsonLog({ write: (line) => lines.push(line), now: () => 0, level: "trace" }),
    metrics,
  });
  secrets.source.want(buyer);
  await changed.promise;
  const [leaf, bundle] = secrets.source.current(buyer)?.resources ?? [];
  const [pem = ""] =
    /-----BEGIN CERTIFICATE.*?END CERTIFICATE-----/s.exec(Buffer.from(leaf?.bytes ?? []).toString()) ?? [];
  const certificate = new X509Certificate(pem);
  const [issuer, serial, expiry] = leaf?.version.split(".") ?? [];
  expect([serial?.toUpperCase(), Number(expiry)]).toEqual([certificate.serialNumber, Date.parse(certificate.validTo)]);
  expect(secrets.leafVersionOf(buyer)).toBe(leaf?.version);
  await secrets.rotateAll();
  const [renewedIssuer, renewedSerial] = secrets.leafVersionOf(buyer)?.split(".") ?? [];
  expect([renewedIssuer, renewedSerial === serial]).toEqual([issuer, false]);

  // What leaves the process apart from the leaf's own secret holds no key.
  const key = readFileSync(join(caDir, "private.key"), "utf8").split("\n")[1] ?? "";
  const told = [
    ...lines,
    JSON.stringify(metrics.families()),
    secrets.rootsPem,
    Buffer.from(bundle?.bytes ?? []).toString(),
  ];
  expect(key.length).toBeGreaterThan(20);
  expect(told.filter((text) => text.includes("PRIVATE KEY") || text.includes(key))).toEqual([]);
  await secrets.close();
});
