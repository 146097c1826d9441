import { execFile } from "node:child_process";
import { createPrivateKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Authority } from "./authority.ts";
import { createAuthorityPem, openAuthority } from "./authority.ts";
import { serviceNames, sidecarNames } from "./certificate-names.ts";
import { SecretText } from "./secret-text.ts";

const run = promisify(execFile);
/** OpenSSL makes its CAs now, so that is when leaves are made as well. */
const NOW = Math.floor(Date.now() / 1000) * 1000;
const DAY = 24 * 3_600_000;
const names = { certificate: "ca.crt", key: "private.key" };
const bookbuyer = serviceNames({ namespace: "bookbuyer", serviceAccount: "buyer" }, "cluster.local");

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "osm-ca-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function ownAuthority(): Promise<Authority> {
  return openAuthority(await createAuthorityPem(NOW), NOW, names);
}

/** A CA as users bring them, made by OpenSSL. */
async function opensslAuthority(newKey: readonly string[], name: string, extra: readonly string[] = []) {
  const [crt, key] = [join(dir, `${name}.crt`), join(dir, `${name}.key`)];
  await run("openssl", [
    "req",
    "-x509",
    ...newKey,
    "-nodes",
    "-keyout",
    key,
    "-out",
    crt,
    "-subj",
    `/O=Users/CN=${name}`,
    "-days",
    "36500",
    "-addext",
    "keyUsage=critical,keyCertSign",
    ...extra,
  ]);
  return { certificatePem: await readFile(crt, "utf8"), privateKeyPem: new SecretText(await readFile(key, "utf8")) };
}

/** OpenSSL's own judgement, with all strictness that it has. */
async function verify(rootsPem: string, leafPem: string, purpose: "sslserver" | "sslclient"): Promise<string> {
  const [roots, leaf] = [join(dir, "roots.pem"), join(dir, "leaf.pem")];
  await writeFile(roots, rootsPem);
  await writeFile(leaf, leafPem);
  const at = String(NOW / 1000 + 600);
  return (await run("openssl", ["verify", "-x509_strict", "-attime", at, "-purpose", purpose, "-CAfile", roots, leaf]))
    .stdout;
}

describe("a leaf", () => {
  test.each([
    ["an own CA", () => ownAuthority()],
    ["a user's RSA CA", async () => openAuthority(await opensslAuthority(["-newkey", "rsa:2048"], "rsa"), NOW, names)],
    [
      "a user's P-384 CA",
      async () =>
        openAuthority(
          await opensslAuthority(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"], "p384"),
          NOW,
          names,
        ),
    ],
  ])("of %s is accepted by OpenSSL for both ends of TLS", async (_name, open) => {
    const authority = await open();
    const leaf = await authority.issue({
      ...bookbuyer,
      keyAlgorithm: "ECDSA",
      keyBits: 2048,
      validityMs: DAY,
      nowMs: NOW,
    });
    expect(await verify(authority.rootsPem, leaf.certificatePem, "sslserver")).toContain("OK");
    expect(await verify(authority.rootsPem, leaf.certificatePem, "sslclient")).toContain("OK");
  });

  test("says who it is, for how long, and fits its key", async () => {
    const authority = await ownAuthority();
    const leaf = await authority.issue({
      ...bookbuyer,
      keyAlgorithm: "ECDSA",
      keyBits: 2048,
      validityMs: DAY,
      nowMs: NOW,
    });
    const certificate = new X509Certificate(leaf.certificatePem);
    expect(certificate.subject).toBe("CN=buyer.bookbuyer.cluster.local");
    expect(certificate.subjectAltName).toBe(
      "DNS:buyer.bookbuyer.cluster.local, URI:spiffe://cluster.local/ns/bookbuyer/sa/buyer",
    );
    expect(certificate.ca).toBe(false);
    expect(certificate.checkPrivateKey(createPrivateKey(leaf.privateKeyPem.reveal()))).toBe(true);
    expect(certificate.serialNumber.toLowerCase()).toBe(leaf.serial);
    expect([Date.parse(certificate.validFrom), Date.parse(certificate.validTo)]).toEqual([NOW - 5 * 60_000, NOW + DAY]);
    expect(leaf.notAfterMs).toBe(NOW + DAY);
  });

  test("has a key that reads back as it was written, also when its number begins with a zero octet", async () => {
    const authority = await ownAuthority();
    const request = { ...bookbuyer, keyAlgorithm: "ECDSA", keyBits: 2048, validityMs: DAY, nowMs: NOW } as const;
    let hasLeadingZero = false;
    // One in 256 does; that none of 5,000 does happens once in 300 million runs.
    for (let n = 0; n < 5000 && !hasLeadingZero; n++) {
      const { certificatePem, privateKeyPem } = await authority.issue(request);
      const key = createPrivateKey(privateKeyPem.reveal());
      hasLeadingZero = Buffer.from(key.export({ format: "jwk" }).d ?? "", "base64url")[0] === 0;
      if (n > 0 && !hasLeadingZero) continue;
      expect(key.export({ type: "pkcs8", format: "pem" })).toBe(privateKeyPem.reveal());
      expect(new X509Certificate(certificatePem).checkPrivateKey(key)).toBe(true);
    }
    expect(hasLeadingZero).toBe(true);
  });

  test("has an RSA key of the size that the mesh asks for", async () => {
    const authority = await ownAuthority();
    const leaf = await authority.issue({
      ...bookbuyer,
      keyAlgorithm: "RSA",
      keyBits: 3072,
      validityMs: DAY,
      nowMs: NOW,
    });
    expect(await verify(authority.rootsPem, leaf.certificatePem, "sslserver")).toContain("OK");
    const modulus = new X509Certificate(leaf.certificatePem).publicKey.export({ format: "jwk" }).n ?? "";
    expect(Buffer.from(modulus, "base64url").length).toBe(384);
  });

  test("keeps a name longer than 64 characters whole", async () => {
    const authority = await ownAuthority();
    const sidecar = {
      uuid: "a7a43d0e-0b0e-4b6f-8d2e-6a5d3d5f3c1b",
      namespace: "n".repeat(63),
      serviceAccount: "s".repeat(63),
    };
    const long = sidecarNames(sidecar, "cluster.local");
    const leaf = await authority.issue({ ...long, keyAlgorithm: "ECDSA", keyBits: 2048, validityMs: DAY, nowMs: NOW });
    expect(new X509Certificate(leaf.certificatePem).subject).toBe(`CN=${long.commonName}`);
    expect(await verify(authority.rootsPem, leaf.certificatePem, "sslclient")).toContain("OK");
  });

  test("never outlives its CA, and is refused once that has expired", async () => {
    const authority = await ownAuthority();
    const request = { ...bookbuyer, keyAlgorithm: "ECDSA", keyBits: 2048, validityMs: 100 * 365 * DAY } as const;
    expect((await authority.issue({ ...request, nowMs: NOW })).notAfterMs).toBe(authority.notAfterMs);
    await expect(authority.issue({ ...request, nowMs: authority.notAfterMs + 1 })).rejects.toThrow("expired");
  });

  test("has a date after 2049 as well", async () => {
    const authority = openAuthority(
      await opensslAuthority(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "century"),
      NOW,
      names,
    );
    const leaf = await authority.issue({
      ...bookbuyer,
      keyAlgorithm: "ECDSA",
      keyBits: 2048,
      validityMs: 30 * 365 * DAY,
      nowMs: NOW,
    });
    expect(Date.parse(new X509Certificate(leaf.certificatePem).validTo)).toBe(leaf.notAfterMs);
    expect(await verify(authority.rootsPem, leaf.certificatePem, "sslserver")).toContain("OK");
  });
});

describe("a CA that cannot issue is named in one sentence", () => {
  test.each<[string, () => Promise<{ certificatePem: string; privateKeyPem: SecretText }>, RegExp]>([
    [
      "a key that is no PEM",
      async () => ({ ...(await createAuthorityPem(NOW)), privateKeyPem: new SecretText("sesame") }),
      /private\.key.*unencrypted/,
    ],
    [
      "another CA's key",
      async () => ({
        ...(await createAuthorityPem(NOW)),
        privateKeyPem: (await createAuthorityPem(NOW)).privateKeyPem,
      }),
      /not the key of/,
    ],
    [
      "no certificate",
      async () => ({ ...(await createAuthorityPem(NOW)), certificatePem: "hello" }),
      /ca\.crt.*no PEM certificate/,
    ],
    [
      "a broken certificate",
      async () => ({
        ...(await createAuthorityPem(NOW)),
        certificatePem: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
      }),
      /ca\.crt.*cannot be read/,
    ],
    [
      "a certificate that is no CA",
      () => opensslAuthority(["-newkey", "rsa:2048"], "leaf", ["-addext", "basicConstraints=critical,CA:FALSE"]),
      /CA:TRUE/,
    ],
    ["an expired CA", () => createAuthorityPem(NOW - 11 * 365 * DAY), /expired on/],
    [
      "an Ed25519 key",
      async () => ({
        ...(await createAuthorityPem(NOW)),
        privateKeyPem: new SecretText(
          generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }) as string,
        ),
      }),
      /ECDSA on P-256/,
    ],
  ])("%s", async (_name, make, message) => {
    const pem = await make();
    let thrown: unknown;
    try {
      openAuthority(pem, NOW, names);
    } catch (error) {
      thrown = error;
    }
    expect(String(thrown)).toMatch(message);
    expect(String(thrown)).not.toContain("sesame");
  });
});
