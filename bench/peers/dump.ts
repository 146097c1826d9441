/** Takes down, byte for byte, what a server has given to a fleet. */
import type { Fleet, ProxySpec } from "../../src/fleet/fleet-api.ts";
import type { World } from "../../src/fleet/world.ts";
import type { ResourceDump } from "./go-control-plane.ts";

/** Proxies of one service are one class: they are given the same. The fleet has one proxy for each pod of the world. */
export async function dumpResources(world: World, fleet: Fleet, proxies: readonly ProxySpec[]): Promise<ResourceDump> {
  const pods = world.pods();
  const nodes = Object.fromEntries(proxies.map(({ id, nodeId }) => [nodeId, `service ${pods[id]?.service}`]));
  const tables = await fleet.tables();
  const known = new Map<string, string>();
  const classes: Record<string, { typeUrl: string; name: string; value: string }[]> = {};
  for (const { id, types } of tables) {
    const own = nodes[proxies[id]?.nodeId ?? ""] ?? "";
    if (classes[own] !== undefined) continue;
    const resources: { typeUrl: string; name: string; value: string }[] = [];
    classes[own] = resources;
    for (const [typeUrl, { names }] of Object.entries(types)) {
      for (const [name, hash] of names) {
        let value = known.get(hash);
        if (value === undefined) {
          const bytes = await fleet.resource(id, typeUrl, name);
          if (bytes === undefined) throw new Error(`proxy ${id} has lost ${typeUrl} ${name}`);
          value = Buffer.from(bytes).toString("base64");
          known.set(hash, value);
        }
        resources.push({ typeUrl, name, value });
      }
    }
  }
  return { classes, nodes };
}

/** Ids of the proxies that were served a resource: all of them, and nobody else, are told when it changes. */
export function holdersIn(
  { classes, nodes }: ResourceDump,
  proxies: readonly ProxySpec[],
): (typeUrl: string, name: string) => readonly number[] {
  const ofClass = new Map<string, number[]>();
  for (const { id, nodeId } of proxies) {
    const own = nodes[nodeId] ?? "";
    const known = ofClass.get(own);
    if (known === undefined) ofClass.set(own, [id]);
    else known.push(id);
  }
  return (typeUrl, name) =>
    Object.entries(classes).flatMap(([own, resources]) =>
      resources.some((each) => each.name === name && each.typeUrl === typeUrl) ? (ofClass.get(own) ?? []) : [],
    );
}
