import { expect, test } from "vitest";
import { parseSidecarName, sidecarNames } from "./certificate-names.ts";

const sidecar = { uuid: "8f2a", namespace: "bookbuyer", serviceAccount: "buyer" };

test("the name in a sidecar's certificate leads back to its pod", () => {
  expect(parseSidecarName(sidecarNames(sidecar, "cluster.local").commonName, "cluster.local")).toEqual(sidecar);
});

test.each([
  "8f2a.sidecar.buyer.bookbuyer.other.domain",
  "8f2a.sidecar.buyer.bookbuyer.extra.cluster.local",
  "8f2a.sidecar.bookbuyer.cluster.local",
  ".sidecar.buyer.bookbuyer.cluster.local",
  "8f2a.sidecar..bookbuyer.cluster.local",
  "8f2a.gateway.buyer.bookbuyer.cluster.local",
  "8f2a.Sidecar.buyer.bookbuyer.cluster.local",
  "8f2a.sidecar.buyer.bookbuyer.cluster.local.",
  "buyer.bookbuyer.cluster.local",
  "cluster.local",
  "",
])("a client certificate named %j is nobody's", (name) => {
  expect(parseSidecarName(name, "cluster.local")).toBeUndefined();
});
