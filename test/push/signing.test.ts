import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { envoy } from "../../proto/gen/envoy.js";
import { createLeafVersions } from "../../src/ca/mod.ts";
import { metricsRegistry, silentLog, systemClock } from "../../src/lib/mod.ts";
import { type Pool, startPool } from "../../src/platform/mod.ts";
import type { ServiceLeavesRequest, SignJob, SignResult } from "../../workers/messages.ts";
import { createSigner } from "../../workers/sign.ts";

const { Secret } = envoy.extensions.transport_sockets.tls.v3;
const nowMs = Date.now();
const leaves: ServiceLeavesRequest = {
  identities: ["shop/buyer", "shop/seller"],
  keyAlgorithm: "ECDSA",
  keyBits: 2048,
  validityMs: 3_600_000,
  nowMs,
};

let dir: string;
let pool: Pool<SignJob, SignResult>;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "osm-sign-"));
  pool = startPool({
    name: "sign",
    entry: new URL("../../workers/sign.ts", import.meta.url),
    function: "signInThread",
    threads: 1,
    timeoutMs: 20_000,
    queueMax: 100,
    heapMaxMb: 128,
    clock: systemClock(),
    log: silentLog(),
    metrics: metricsRegistry(),
    workerData: { caDir: dir, trustDomain: "cluster.local" },
  });
});
afterEach(async () => {
  await pool.close();
  await rm(dir, { recursive: true, force: true });
});

test("proxies get a leaf with its key as one secret, and the roots that verify it as another", async () => {
  const opened = await pool.run({ kind: "open", nowMs });
  const signed = await pool.run({ kind: "services", leaves });
  if (opened.kind !== "opened" || signed.kind !== "services") throw new Error("the signer refused");
  const roots = Secret.decode(new Uint8Array(opened.trustBundle));
  const root = new X509Certificate(roots.validationContext?.trustedCa?.inlineString ?? "");
  const versions = createLeafVersions({ key: new Uint8Array(opened.versionKey), trustDomain: "cluster.local" });
  expect(signed.ends).toHaveLength(2);
  for (const [position, version] of signed.versions.entries()) {
    const [start, end] = [signed.ends[position - 1] ?? 0, signed.ends[position]];
    const own = Secret.decode(new Uint8Array(signed.frame.slice(start, end)));
    expect([own.name, roots.name]).toEqual(["service-cert", "root-cert"]);
    const certificate = new X509Certificate(own.tlsCertificate?.certificateChain?.inlineString ?? "");
    const serviceAccount = ["buyer", "seller"][position] ?? "";
    expect(certificate.subject).toBe(`CN=${serviceAccount}.shop.cluster.local`);
    expect(certificate.verify(root.publicKey)).toBe(true);
    const key = createPrivateKey(own.tlsCertificate?.privateKey?.inlineString ?? "");
    expect(certificate.checkPrivateKey(key)).toBe(true);
    expect(versions.read({ namespace: "shop", serviceAccount }, version)).toEqual({
      issuerId: opened.issuerId,
      serial: certificate.serialNumber.toLowerCase(),
      notAfterMs: Date.parse(certificate.validTo),
      issuedMs: nowMs,
    });
  }
});

test("a signer that dies is followed by one with the same CA", async () => {
  const first = await pool.run({ kind: "open", nowMs });
  // A worker that is killed because of one hanging job must not change whom the mesh trusts.
  await expect(
    pool.run({ kind: "services", leaves: { ...leaves, keyAlgorithm: "RSA", keyBits: 16_384 } }, 50),
  ).rejects.toMatchObject({ code: "timeout" });
  expect(await pool.run({ kind: "open", nowMs })).toEqual(first);
});

test("a CA that cannot be used is one sentence, with threads and without, and is looked at again when asked again", async () => {
  await writeFile(join(dir, "private.key"), "sesame");
  await writeFile(join(dir, "ca.crt"), "nothing");
  const inline = createSigner({ caDir: dir, trustDomain: "cluster.local" });
  for (const sign of [(job: SignJob) => pool.run(job), inline]) {
    const answer = await sign({ kind: "open", nowMs });
    expect(answer).toMatchObject({ kind: "refused", message: expect.stringContaining("private.key") });
    expect(JSON.stringify(answer)).not.toContain("sesame");
  }
  await rm(join(dir, "private.key"));
  await rm(join(dir, "ca.crt"));
  expect((await inline({ kind: "open", nowMs })).kind).toBe("opened");
  expect(await readFile(join(dir, "private.key"), "utf8")).toContain("PRIVATE KEY");
});
