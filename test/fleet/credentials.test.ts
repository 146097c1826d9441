import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { expect, test } from "vitest";
import { signRoot } from "../../src/ca/certificate.ts";
import { fillTemplate, issueCredentials, type Subject, TemplateError } from "../../src/fleet/credentials.ts";
import { type Authority, certificateSigner } from "../../src/fleet/credentials-certificate.ts";
import { systemClock } from "../../src/lib/mod.ts";

const subject: Subject = {
  n: 7,
  uuid: "00000000-0000-4000-8000-000000000007",
  namespace: "ns-001",
  service: "service-00001",
  serviceAccount: "service-00001",
  pod: "service-00001-00007",
};

function authorityOf(type: "ec" | "rsa"): Authority {
  const keys =
    type === "ec"
      ? generateKeyPairSync("ec", { namedCurve: "P-256" })
      : generateKeyPairSync("rsa", { modulusLength: 2048 });
  const serial = new Uint8Array(16).fill(1);
  const validity = { notBeforeMs: Date.now() - 1000, notAfterMs: Date.now() + 60_000 };
  const certificatePem = signRoot(keys, { subject: { commonName: "ca.example" }, serial, ...validity });
  return { certificatePem, privateKeyPem: keys.privateKey.export({ type: "pkcs8", format: "pem" }).toString() };
}

test.each(["ec", "rsa"] as const)(
  "a proxy's certificate is one that its CA (%s) has issued, with its names",
  async (type) => {
    const authority = authorityOf(type);
    const [credential] = await issueCredentials(
      {
        kind: "authority",
        authority,
        commonName: "{uuid}.sidecar.{serviceAccount}.{namespace}.cluster.local",
        dnsNames: ["{pod}.example"],
        uris: ["spiffe://cluster.local/ns/{namespace}/sa/{serviceAccount}"],
      },
      [subject],
      systemClock(),
    );
    const certificate = new X509Certificate(credential?.certificatePem ?? "");
    const issuer = new X509Certificate(authority.certificatePem);
    expect(certificate.verify(issuer.publicKey)).toBe(true);
    expect(certificate.checkIssued(issuer)).toBe(true);
    expect(certificate.subject).toBe(`CN=${subject.uuid}.sidecar.service-00001.ns-001.cluster.local`);
    expect(certificate.subjectAltName).toBe(
      "DNS:service-00001-00007.example, URI:spiffe://cluster.local/ns/ns-001/sa/service-00001",
    );
    expect(Date.parse(certificate.validTo)).toBeGreaterThan(Date.now());
  },
);

test("a template that names nothing is refused by its name", () => {
  expect(fillTemplate("sidecar~{n}~{pod}", subject)).toBe("sidecar~7~service-00001-00007");
  expect(() => fillTemplate("{node}", subject)).toThrow(TemplateError);
});

test("two certificates of one CA have different serial numbers", () => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const privateKeyPem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const options = { privateKeyPem, notBeforeMs: Date.now(), lifetimeMs: 60_000 };
  const sign = certificateSigner(authorityOf("ec"), options);
  const name = { commonName: "a", dnsNames: [], uris: [] };
  expect(new X509Certificate(sign(name, 1)).serialNumber).not.toBe(new X509Certificate(sign(name, 2)).serialNumber);
});
