import type { PeerCertificate } from "node:tls";
import { describe, expect, test } from "vitest";
import { readClientCertificate } from "./client-certificate.ts";

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
