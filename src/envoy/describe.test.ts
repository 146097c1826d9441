import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { createDescribe } from "./describe.ts";
import { generate } from "./generate.ts";
import { encodeServiceCertificate } from "./secrets.ts";

const describeResource = createDescribe(readFileSync(new URL("../../proto/gen/envoy.json", import.meta.url), "utf8"));
const tls = { minVersion: "TLSv1_2", maxVersion: "TLSv1_3", cipherSuites: [], ecdhCurves: [] } as const;

test("a person reads what a proxy was sent: names of enums, durations, and the messages inside messages", () => {
  const resource = generate({
    kind: "upstream-cluster",
    name: "a/b|80",
    sni: "b.a.svc.cluster.local",
    serverSans: ["sa.a.cluster.local"],
    tls,
  });
  const shown = JSON.stringify(describeResource(resource.typeUrl, resource.bytes));
  expect(shown).toContain('"type":"EDS"');
  expect(shown).toContain('"exact":"sa.a.cluster.local"');
  expect(shown).toContain("envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext");
});

test("no key is shown, in no encoding", () => {
  const key = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n";
  const bytes = encodeServiceCertificate({ name: "service-cert", certificateChainPem: "chain", privateKeyPem: key });
  const shown = JSON.stringify(
    describeResource("type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret", bytes),
  );
  expect(shown).toContain("service-cert");
  expect(shown).toContain("[redacted]");
  expect(shown).not.toContain("PRIVATE");
  expect(shown).not.toContain(Buffer.from(key).toString("base64").slice(0, 16));
});
