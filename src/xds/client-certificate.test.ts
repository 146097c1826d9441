import { generateKeyPairSync, X509Certificate } from "node:crypto";
import type { PeerCertificate } from "node:tls";
import forge from "node-forge";
import { describe, expect, test } from "vitest";
import { peerIdentity, readClientCertificate } from "./client-certificate.ts";

/** As `node:tls` gives it. */
function peerCertificate(subject: object, subjectaltname?: string): PeerCertificate {
  const rest = { serialNumber: "0A", valid_to: "Nov 21 17:00:00 2026 GMT" };
  return { subject, subjectaltname, ...rest } as unknown as PeerCertificate;
}

describe("client certificate", () => {
  test("gives the names and the end of its life", () => {
    const read = readClientCertificate(
      peerCertificate({ CN: "a.b" }, "DNS:a.b, URI:spiffe://td/ns/b/sa/a, IP Address:10.0.0.1, DNS:c"),
    );
    expect(read).toEqual({
      commonName: "a.b",
      dnsNames: ["a.b", "c"],
      uris: ["spiffe://td/ns/b/sa/a"],
      serialNumber: "0A",
      notAfterMs: Date.UTC(2026, 10, 21, 17),
    });
  });

  test("one name with a separator in it does not pass for two", () => {
    const read = readClientCertificate(peerCertificate({ CN: "x" }, 'DNS:"a, DNS:victim", DNS:b'));
    expect(read.dnsNames).toEqual(["a, DNS:victim", "b"]);
  });

  test("two common names, or none, are no common name", () => {
    expect(readClientCertificate(peerCertificate({ CN: ["a", "victim"] })).commonName).toBe("");
    expect(readClientCertificate(peerCertificate({})).commonName).toBe("");
  });
});

describe("a connection's certificate", () => {
  const pem = { type: "pkcs1", format: "pem" } as const;
  const keys = generateKeyPairSync("rsa", { modulusLength: 2048, publicKeyEncoding: pem, privateKeyEncoding: pem });

  const [DNS, URI] = [2, 6];
  const ALT_NAMES = [
    { type: DNS, value: "a.b" },
    { type: DNS, value: "c, DNS:victim" },
    { type: URI, value: "spiffe://td/ns/b/sa/a" },
  ];

  function certificateOf(subject: readonly { readonly name: string; readonly value: string }[]): X509Certificate {
    const made = forge.pki.createCertificate();
    made.publicKey = forge.pki.publicKeyFromPem(keys.publicKey);
    made.serialNumber = "0a0b";
    made.validity.notBefore = new Date(0);
    made.validity.notAfter = new Date(Date.UTC(2026, 10, 21, 17));
    made.setSubject(subject.map((part) => ({ ...part, valueTagClass: forge.asn1.Type.UTF8 as never })));
    made.setExtensions([{ name: "subjectAltName", altNames: ALT_NAMES }]);
    made.sign(forge.pki.privateKeyFromPem(keys.privateKey), forge.md.sha256.create());
    return new X509Certificate(forge.pki.certificateToPem(made));
  }

  test.each<[string, readonly (readonly [string, string])[]]>([
    ["one common name", [["commonName", "a.b"]]],
    [
      "other parts beside it",
      [
        ["countryName", "DE"],
        ["organizationName", "x=y"],
        ["commonName", "a.b"],
      ],
    ],
    [
      "a line in another part that looks like one",
      [
        ["organizationName", "x\nCN=victim"],
        ["commonName", "a.b"],
      ],
    ],
    ["nothing but such a line", [["organizationName", "x\nCN=victim"]]],
    [
      "two common names",
      [
        ["commonName", "a.b"],
        ["commonName", "victim"],
      ],
    ],
    ["a separator in it", [["commonName", "a, CN=victim + OU=\\"]]],
    ["letters that need UTF-8", [["commonName", "bücher"]]],
    ["no common name", [["organizationName", "x"]]],
  ])("is read as the runtime's own object says it: %s", (_what, parts) => {
    const certificate = certificateOf(parts.map(([name, value]) => ({ name, value })));
    const whole = certificate.toLegacyObject();
    const read = peerIdentity({ getPeerX509Certificate: () => certificate, getPeerCertificate: () => whole });
    expect(read).toEqual({ certificate, read: readClientCertificate(whole) });
  });

  test("is none when a resumed session knows of none", () => {
    const nothing = { getPeerX509Certificate: () => undefined, getPeerCertificate: () => ({}) as PeerCertificate };
    expect(peerIdentity(nothing)).toBeUndefined();
  });
});
