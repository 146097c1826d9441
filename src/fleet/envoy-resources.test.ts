import { expect, test } from "vitest";
import { envoy } from "../../proto/gen/discovery.js";
import { ResourceMemory } from "./envoy-resources.ts";

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
