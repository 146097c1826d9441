import { expect, test } from "vitest";
import { testAuthority } from "../../../test/support/xds-mesh.ts";
import { certificatesOf, tlsContext } from "./server-credentials.ts";

test("the server's certificate goes with the root that issued it, and with no other of the same name", async () => {
  const [own, other] = [await testAuthority(), await testAuthority()];
  const credentials = await own.server();
  const chainWith = (clientCaPem: string) => {
    const { cert } = tlsContext({ ...credentials, clientCaPem });
    return certificatesOf(String(cert)).map(({ fingerprint256 }) => fingerprint256);
  };
  const fingerprints = (...pems: readonly string[]) => certificatesOf(pems.join("\n")).map((one) => one.fingerprint256);
  const { certificatePem, clientCaPem: root } = credentials;
  const { clientCaPem: otherRoot } = await other.server();
  expect(chainWith(root)).toEqual(fingerprints(certificatePem, root));
  // While roots are rotated both are believed.
  expect(chainWith(`${otherRoot}\n${root}`)).toEqual(fingerprints(certificatePem, root));
  expect(chainWith(otherRoot)).toEqual(fingerprints(certificatePem));
});
