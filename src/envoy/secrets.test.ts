import { expect, test } from "vitest";
import { envoy } from "../../proto/gen/envoy.js";
import { SECRETS } from "./names.ts";
import { encodeServiceCertificate, encodeTrustBundle } from "./secrets.ts";

const { Secret } = envoy.extensions.transport_sockets.tls.v3;

test("secrets have the bytes that Envoy's own definitions give", () => {
  const [chain, key, roots] = ["chain ü\n".repeat(300), "key\n".repeat(100), "roots\n"];
  const leaf = { name: SECRETS.serviceCertificate, certificateChainPem: chain, privateKeyPem: key };
  expect(encodeServiceCertificate(leaf)).toEqual(
    Secret.encode({
      name: "service-cert",
      tlsCertificate: { certificateChain: { inlineString: chain }, privateKey: { inlineString: key } },
    }).finish(),
  );
  expect(encodeTrustBundle({ name: SECRETS.trustBundle, rootsPem: roots })).toEqual(
    Secret.encode({ name: "root-cert", validationContext: { trustedCa: { inlineString: roots } } }).finish(),
  );
});
