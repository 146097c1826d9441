import { expect, test } from "vitest";
import { envoy } from "../../proto/gen/discovery.js";
import { ResourceMemory } from "./envoy-resources.ts";
import { TYPE_URLS } from "./envoy-types.ts";

const { DeltaDiscoveryResponse } = envoy.service.discovery.v3;

test("the same response is read once, also when a later nonce is shorter or longer", () => {
  const memory = new ResourceMemory();
  const read = (nonce: string, removed: string) =>
    memory.read(
      "delta",
      Buffer.from(
        DeltaDiscoveryResponse.encode({
          nonce,
          typeUrl: "type.googleapis.com/envoy.config.cluster.v3.Cluster",
          removedResources: [removed],
        }).finish(),
      ),
    );
  const first = read("99", "one");
  expect(read("100", "one")).toBe(first);
  expect(read("7", "one")).toBe(first);
  expect(memory.nonce).toBe("7");
  expect(read("7", "two")).not.toBe(first);
  expect(read("98", "one")).toBe(first);
  expect(memory.nonce).toBe("98");
  expect(read("98", "one")).toBe(first);
  expect(memory.nonce).toBe("98");
});

test.each(TYPE_URLS)("a %s that is no protobuf is refused, as by Envoy", (typeUrl) => {
  const resource = { type_url: typeUrl, value: Buffer.of(255) };
  const response = DeltaDiscoveryResponse.encode({
    nonce: "1",
    typeUrl,
    resources: [{ name: "a", resource }],
  }).finish();
  expect(new ResourceMemory().read("delta", Buffer.from(response)).problem).toContain('resource "a" is not');
});
