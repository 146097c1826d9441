import { describe, expect, test } from "vitest";
import { endpointsName, makeWorld, type Shape } from "../../bench/world.ts";
import { wholeLine } from "./whole-line.ts";

/** Everybody may call everybody: 12 proxies, all of which get every service's endpoints. */
const permissive: Shape = { services: 4, podsPerService: 3, namespaces: 2, callers: 0, seed: 1 };
/** Every service has two callers. */
const policies: Shape = { services: 6, podsPerService: 2, namespaces: 3, callers: 2, seed: 1 };
const NOTHING = { responses: 0, resources: [], removed: 0, bytes: 0, generated: 0 };

describe("exact counts, from object to response", () => {
  test("one more endpoint of a service is one resource generated and one delivery to each of k subscribers", async () => {
    const world = makeWorld(permissive);
    const line = await wholeLine(world);
    const cost = await line.apply(world.slice(0, ["10.200.0.1"]));
    const k = world.pods.length;
    expect(cost.generated).toBe(1);
    expect(cost.responses).toBe(k);
    expect(cost.resources).toEqual(Array.from({ length: k }, () => `endpoints ${endpointsName(permissive, 0)}`));
    expect(cost.removed).toBe(0);
  });

  test("under access policies a service's endpoints go to its callers' proxies and to nobody else", async () => {
    const world = makeWorld(policies);
    const line = await wholeLine(world);
    const cost = await line.apply(world.slice(0, ["10.200.0.1"]));
    // The new endpoint has no workload, so policies let nobody call it.
    expect(cost).toEqual(NOTHING);
    const gone = await line.apply(world.sliceWithout(0, 0));
    expect(gone.responses).toBe(policies.callers * policies.podsPerService);
    expect(new Set(gone.resources)).toEqual(new Set([`endpoints ${endpointsName(policies, 0)}`]));
    expect(gone.generated).toBe(1);
  });

  test("objects that were touched and say the same cost nothing", async () => {
    const world = makeWorld(policies);
    const line = await wholeLine(world);
    const touched = world.objects.map((object) => ({
      ...structuredClone(object),
      metadata: { ...object.metadata, resourceVersion: "2", generation: 2, annotations: { touched: "yes" } },
    }));
    expect(await line.apply(...touched)).toEqual(NOTHING);
  });

  test("one edited TrafficTarget reaches the proxies of its destination alone, with one resource", async () => {
    const world = makeWorld(policies);
    const line = await wholeLine(world);
    const cost = await line.apply(world.target(0, ["read"]));
    expect(cost.generated).toBe(1);
    expect(cost.resources).toEqual(Array.from({ length: policies.podsPerService }, () => "route rds-inbound.8080"));
  });

  test("what one edit costs does not grow with the mesh", async () => {
    const small = makeWorld(policies);
    const large = makeWorld({ ...policies, services: 60, namespaces: 10 });
    const [inSmall, inLarge] = await Promise.all(
      [small, large].map(async (world) => {
        const line = await wholeLine(world);
        return [await line.apply(world.target(0, ["read"])), await line.apply(world.sliceWithout(0, 0))];
      }),
    );
    expect(inLarge).toEqual(inSmall);
  });

  test("proxies that come back with their versions get no resource", async () => {
    const world = makeWorld(policies);
    const line = await wholeLine(world);
    expect(await line.reconnect()).toEqual({ responses: 0, resources: [], removed: 0, bytes: 0 });
  });
});
