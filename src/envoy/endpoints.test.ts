import { expect, test } from "vitest";
import { envoy } from "../../proto/gen/envoy.js";
import { encodeEndpoints } from "./endpoints.ts";

const { ClusterLoadAssignment } = envoy.config.endpoint.v3;

test.each([0, 1, 2, 300])("%i endpoints have the bytes that Envoy's own definitions give", (count) => {
  const endpoints = Array.from({ length: count }, (_, n) => ({
    address: n % 7 === 0 ? `2001:db8::${n}` : `10.0.${n >> 8}.${n & 255}`,
    port: n % 5 === 0 ? 80 : 65_535 - n,
  }));
  const lbEndpoints = endpoints.map(({ address, port: portValue }) => ({
    endpoint: { address: { socketAddress: { address, portValue } } },
  }));
  expect(encodeEndpoints({ kind: "endpoints", name: "shop/cart|8080", endpoints })).toEqual(
    ClusterLoadAssignment.encode({
      clusterName: "shop/cart|8080",
      endpoints: count === 0 ? [] : [{ locality: { zone: "local" }, lbEndpoints }],
    }).finish(),
  );
});
