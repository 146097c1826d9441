import { describe, expect, test } from "vitest";
import { snapshotOf } from "../../test/support/mesh.ts";
import { namespaceRecord, podRecord } from "../../test/support/records.ts";
import { authenticateProxy } from "./authenticate.ts";

const uuid = "0d5c1ca8-4c6c-4a1c-9b6e-3f1c4f7d2a10";
const snapshot = snapshotOf(
  namespaceRecord("shop"),
  namespaceRecord("outside", { monitoredBy: "another-mesh" }),
  podRecord("shop", "web-1", "web", "10.1.0.1", { proxyUuid: uuid }),
  podRecord("outside", "lone", "lone", "10.1.0.2", { proxyUuid: "11111111-4c6c-4a1c-9b6e-3f1c4f7d2a10" }),
);
const ask = (commonName: string) => authenticateProxy(snapshot, commonName, "cluster.local");

describe("a certificate decides alone which pod's configuration its holder gets", () => {
  test("the certificate that was issued for a pod is that pod's proxy", () => {
    const peer = { uuid, namespace: "shop", pod: "web-1", serviceAccount: "web" };
    expect(ask(`${uuid}.sidecar.web.shop.cluster.local`)).toEqual(peer);
  });

  test.each([
    ["another service account with a pod's uuid", `${uuid}.sidecar.admin.shop.cluster.local`],
    ["another namespace with a pod's uuid", `${uuid}.sidecar.web.bank.cluster.local`],
    ["a uuid that no pod carries", "22222222-4c6c-4a1c-9b6e-3f1c4f7d2a10.sidecar.web.shop.cluster.local"],
    ["another trust domain", `${uuid}.sidecar.web.shop.cluster.example`],
    ["a workload's own leaf instead of a proxy's credential", "web.shop.cluster.local"],
    [
      "a pod of a namespace that is not in this mesh",
      "11111111-4c6c-4a1c-9b6e-3f1c4f7d2a10.sidecar.lone.outside.cluster.local",
    ],
    ["no common name", ""],
  ])("%s gets nothing", (_case, commonName) => {
    expect(ask(commonName)).toHaveProperty("refusal");
  });
});
