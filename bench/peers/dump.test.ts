import { expect, test } from "vitest";
import type { ProxySpec } from "../../src/fleet/fleet-api.ts";
import { World } from "../../src/fleet/world.ts";
import { ENDPOINTS, endpointsName, servicesHeldAlike } from "./contender.ts";
import { holdersIn } from "./dump.ts";

const world = new World({
  services: 3,
  pods: 1,
  namespaces: 1,
  mode: "smi",
  calls: { kind: "all" },
  splits: 0,
  seed: 1,
});
const endpoints = (service: number, value: string) => ({
  typeUrl: ENDPOINTS,
  name: endpointsName(world, service),
  value,
});
const dump = {
  classes: { a: [endpoints(0, "full"), endpoints(1, "full")], b: [endpoints(0, "full"), endpoints(1, "")] },
  nodes: { "node-0": "a", "node-1": "b", "node-2": "a" },
};
const proxies = [0, 1, 2].map(
  (id): ProxySpec => ({
    id,
    nodeId: `node-${id}`,
    protocol: "delta",
    behaviour: { kind: "normal" },
  }),
);

test("a change is waited for by those that hold the resource, and by nobody else", () => {
  const holders = holdersIn({ ...dump, classes: { ...dump.classes, b: [] } }, proxies);
  expect(holders(ENDPOINTS, endpointsName(world, 0))).toEqual([0, 2]);
  expect(holders(ENDPOINTS, "another")).toEqual([]);
});

test("both servers change what everybody holds alike: else the peer would send what ours does not", () => {
  // Service 1 is held with and without endpoints, service 2 by nobody.
  expect(servicesHeldAlike(world, dump)).toEqual([0]);
});
