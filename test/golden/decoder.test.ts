import { describe, expect, test } from "vitest";
import { encodeServiceCertificate, encodeTrustBundle } from "../../src/envoy/mod.ts";
import { goldenCases } from "./cases.ts";
import { decodeToJson, reencode } from "./decode.ts";

const SECRET = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";

describe("encoded resources", () => {
  test.each(goldenCases())("$name is written as any protobuf implementation writes it", ({ resource }) => {
    expect(reencode(resource.typeUrl, resource.bytes)).toEqual(new Uint8Array(resource.bytes));
  });

  test("a service certificate holds the chain and the key", () => {
    const bytes = encodeServiceCertificate({
      name: "service-cert",
      certificateChainPem: "CHAIN",
      privateKeyPem: "KEY",
    });
    expect(decodeToJson(SECRET, bytes)).toEqual({
      name: "service-cert",
      tls_certificate: { certificate_chain: { inline_string: "CHAIN" }, private_key: { inline_string: "KEY" } },
    });
  });

  test("the trust bundle names no SANs: they would be accepted everywhere", () => {
    expect(decodeToJson(SECRET, encodeTrustBundle({ name: "root-cert", rootsPem: "ROOTS" }))).toEqual({
      name: "root-cert",
      validation_context: { trusted_ca: { inline_string: "ROOTS" } },
    });
  });
});
