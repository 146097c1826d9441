import { X509Certificate } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { jsonLog, type Metrics, manualClock, metricsRegistry } from "../lib/mod.ts";
import { DEFAULT_SETTINGS, type Identity } from "../mesh/mod.ts";
import type { Resource } from "../xds/mod.ts";
import { openMeshSecrets } from "./mesh-secrets.ts";

const root = mkdtempSync(join(tmpdir(), "osm-secrets-"));
afterAll(() => rmSync(root, { recursive: true }));
const caDir = join(root, "ca");
const LEAF = "service-cert";
const DAY_MS = 24 * 3_600_000;
const buyer = { namespace: "shop", serviceAccount: "buyer" };
const seller = { namespace: "shop", serviceAccount: "seller" };
const clock = manualClock(Date.now());

/** One control plane's secrets: each is a process of its own, as far as leaves are concerned. */
async function secretsOf(options: { readonly caDir?: string; readonly trustDomain?: string } = {}) {
  const lines: string[] = [];
  const metrics = metricsRegistry();
  const changed: string[] = [];
  let wake: (() => void) | undefined;
  const secrets = await openMeshSecrets({
    caDir,
    trustDomain: "cluster.local",
    osmNamespace: "osm-system",
    hasThread: false,
    settings: DEFAULT_SETTINGS,
    onChange(identity) {
      changed.push(identity.serviceAccount);
      wake?.();
    },
    clock,
    random: () => 0.5,
    log: jsonLog({ write: (line) => lines.push(line), now: () => 0, level: "trace" }),
    metrics,
    ...options,
  });
  const table = (identity: Identity) => {
    secrets.source.want(identity);
    return secrets.source.current(identity);
  };
  /** Resolves when an identity has another table. */
  const nextChange = () => new Promise<void>((resolve) => (wake = resolve));
  return {
    secrets,
    metrics,
    lines,
    changed,
    table,
    nextChange,
    isAsGood: (identity: Identity, version: string) => table(identity)?.isAsGood?.(LEAF, version) ?? false,
    /** Asks for the leaf as a proxy does that holds none. */
    async leaf(identity: Identity) {
      const made = nextChange();
      expect(table(identity)?.isAwaited?.(LEAF)).toBe(true);
      await made;
      const [leaf] = table(identity)?.resources ?? [];
      if (leaf?.name !== LEAF) throw new Error("there is no leaf");
      return leaf;
    },
  };
}

/** The certificate in a leaf's secret. */
function certificateIn(secret: Resource | undefined): X509Certificate {
  const text = Buffer.from(secret?.bytes ?? []).toString();
  const [pem = ""] = /-----BEGIN CERTIFICATE.*?END CERTIFICATE-----/s.exec(text) ?? [];
  return new X509Certificate(pem);
}

function total(metrics: Metrics, name: string): number {
  return (metrics.families().find((family) => family.name === name)?.series ?? []).reduce(
    (sum, { value }) => sum + value,
    0,
  );
}

test("a leaf is made when a proxy asks for one, and nothing that leaves the process beside it holds a key", async () => {
  const { secrets, table, leaf, lines, metrics } = await secretsOf();
  expect(table(buyer)?.resources.map(({ name }) => name)).toEqual(["root-cert"]);
  expect(table(buyer)).toBe(table(buyer));
  expect(table(buyer)?.isAwaited?.("root-cert")).toBe(false);
  const made = await leaf(buyer);
  const { version } = made;
  // It lives for a day: a piece of something larger would keep all of that.
  expect(made.bytes.buffer.byteLength).toBe(made.bytes.length);
  const certificate = certificateIn(made);
  const [issuer, serial, expiry] = version.split(".");
  expect([serial?.toUpperCase(), Number(expiry)]).toEqual([certificate.serialNumber, Date.parse(certificate.validTo)]);
  expect(secrets.leafVersionOf(buyer)).toBe(version);
  await secrets.rotateAll();
  const [renewedIssuer, renewedSerial] = secrets.leafVersionOf(buyer)?.split(".") ?? [];
  expect([renewedIssuer, renewedSerial === serial]).toEqual([issuer, false]);

  const key = readFileSync(join(caDir, "private.key"), "utf8").split("\n")[1] ?? "";
  const bundle = table(buyer)?.resources[1];
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

test("after a restart proxies go on with the leaves that they hold: none is issued, no table changes", async () => {
  const before = await secretsOf();
  const { version } = await before.leaf(buyer);
  await before.secrets.close();
  const after = await secretsOf();
  expect(after.isAsGood(buyer, version)).toBe(true);
  expect([after.changed, total(after.metrics, "osm_cert_issued_count")]).toEqual([[], 0]);
  expect(total(after.metrics, "osm_cert_kept_total")).toBe(1);
  // Until it is due: then it is replaced as if this process had issued it.
  const renewed = after.nextChange();
  clock.advance(0.7 * DAY_MS);
  await renewed;
  expect(after.isAsGood(buyer, version)).toBe(false);
  expect([after.changed, total(after.metrics, "osm_cert_issued_count")]).toEqual([["buyer"], 1]);
  await after.secrets.close();
});

test("a leaf of another CA, trust domain or identity, one that is due and one that was made up are replaced", async () => {
  const [own, otherCa, otherDomain] = [
    await secretsOf(),
    await secretsOf({ caDir: join(root, "other") }),
    await secretsOf({ trustDomain: "other.local" }),
  ];
  const { version } = await own.leaf(buyer);
  const verdicts = () => [
    otherCa.isAsGood(buyer, version),
    otherDomain.isAsGood(buyer, version),
    own.isAsGood(seller, version),
    own.isAsGood(buyer, version.replace(/\.\d+\./, `.${clock.now() + 365 * DAY_MS}.`)),
    own.isAsGood(buyer, "1"),
  ];
  expect(verdicts()).toEqual([false, false, false, false, false]);
  expect(own.table(buyer)?.isAsGood?.("root-cert", version)).toBe(false);
  const replica = await secretsOf();
  expect(replica.isAsGood(buyer, version)).toBe(true);
  clock.advance(0.7 * DAY_MS);
  expect((await secretsOf()).isAsGood(buyer, version)).toBe(false);
});

test("rotating after a restart replaces leaves that this process did not issue", async () => {
  const before = await secretsOf();
  const { version } = await before.leaf(buyer);
  await before.secrets.close();
  const after = await secretsOf();
  expect(after.isAsGood(buyer, version)).toBe(true);
  after.table(seller);
  expect(await after.secrets.rotateAll()).toBe(1);
  expect(after.changed).toEqual(["buyer"]);
  expect(after.isAsGood(buyer, version)).toBe(false);
  expect(after.secrets.leafVersionOf(seller)).toBeUndefined();
  await after.secrets.close();
});

test("a proxy that was away during a rotation gets another leaf, also from who starts after it", async () => {
  const own = { caDir: join(root, "rotated") };
  const before = await secretsOf(own);
  const { version } = await before.leaf(buyer);
  clock.advance(1);
  await before.secrets.rotateAll();
  await before.secrets.close();
  clock.advance(1);
  const after = await secretsOf(own);
  expect(after.isAsGood(buyer, version)).toBe(false);
  const renewed = await after.leaf(buyer);
  const replica = await secretsOf(own);
  expect(replica.isAsGood(buyer, renewed.version)).toBe(true);
});

test("a rotation that cannot be remembered takes place, and says what a restart will forget", async () => {
  const own = { caDir: join(root, "read-only") };
  const { secrets, leaf, lines } = await secretsOf(own);
  const { version } = await leaf(buyer);
  mkdirSync(join(own.caDir, "last-rotation"));
  expect(await secrets.rotateAll()).toBe(1);
  expect(secrets.leafVersionOf(buyer)).not.toBe(version);
  expect(lines.filter((line) => line.includes("a restart will forget this rotation"))).toHaveLength(1);
});

test("every leaf of a large rotation is its own, whatever batches they were made in", async () => {
  const { secrets, table, changed } = await secretsOf();
  const all = Array.from({ length: 150 }, (_, n) => ({ namespace: `ns${n % 3}`, serviceAccount: `sa${n}` }));
  for (const identity of all) table(identity)?.isAwaited?.(LEAF);
  expect(await secrets.rotateAll()).toBe(150);
  expect(changed).toHaveLength(300);
  const serials = all.map((identity) => {
    const { namespace, serviceAccount } = identity;
    expect(certificateIn(table(identity)?.resources[0]).subject).toBe(
      `CN=${serviceAccount}.${namespace}.cluster.local`,
    );
    return secrets.leafVersionOf(identity)?.split(".")[1];
  });
  expect(new Set(serials).size).toBe(150);
  await secrets.close();
});

test("TLS sessions can be resumed on another replica, and after a restart, until the day ends", async () => {
  const [one, other] = [await secretsOf(), await secretsOf()];
  const now = Date.parse("2026-03-01T12:00:00Z");
  const [left, right] = [await one.secrets.ticketKeys(now), await other.secrets.ticketKeys(now + 3_600_000)];
  expect(left).toEqual(right);
  expect([left.keys.length, left.endsAtMs]).toEqual([48, Date.parse("2026-03-02T00:00:00Z")]);
  expect((await one.secrets.ticketKeys(left.endsAtMs)).keys.equals(left.keys)).toBe(false);
});
