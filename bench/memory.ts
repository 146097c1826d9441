/** What proxies add to the control plane's memory: resident bytes with all of them less those with none, both after a collection. */
import { namedShape } from "../src/fleet/mod.ts";
import { type Findings, type Measurement, summarize } from "./measurement.ts";
import { type BenchMesh, openMesh, requireAll } from "./mesh.ts";
import { ours } from "./peers/contender.ts";
import { makeChanges } from "./peers/versus.ts";
import { INSPECT, openProbe, type ProcessProbe } from "./process-probe.ts";

/** 1,000 proxies that see 100 services, and 5,000. */
const SHAPES = ["W3", "X5"] as const;
const CHANGES = 50;

export const memorySuite = SHAPES.map((name) => ({
  name: `memory/${name}`,
  async run(isWanted: (name: string) => boolean): Promise<Findings> {
    if (!isWanted(`memory/${name}`)) return { measurements: [], counts: [] };
    const shape = namedShape(name);
    if (shape === undefined) throw new Error(`there is no shape ${name}`);
    const mesh = await openMesh(shape, { nodeFlags: [INSPECT] });
    try {
      return { measurements: await measure(`memory/${name}`, mesh), counts: [] };
    } finally {
      await mesh.close();
    }
  },
}));

async function measure(name: string, mesh: BenchMesh): Promise<readonly Measurement[]> {
  const probe = await openProbe(mesh.plane.words());
  try {
    const none = await residentBytes(mesh, probe);
    const found: Measurement[] = [];
    const look = async (when: string) => {
      const all = await residentBytes(mesh, probe);
      const add = (what: string, bytes: number) => {
        const samples = summarize([bytes / 2 ** 20 / mesh.proxies.length]);
        found.push({ name: `${name}: ${what} per proxy, ${when}`, unit: "MiB", samples });
      };
      add("added", all - none);
      add("everything in", all);
    };
    requireAll(name, await mesh.fleet.connect());
    await look("all connected");
    const contender = ours(mesh, "");
    await makeChanges(
      contender,
      Array.from({ length: CHANGES }, (_, n) => n),
      "endpoint",
    );
    await look(`after ${CHANGES} changes`);
    return found;
  } finally {
    probe.close();
  }
}

/** Resident bytes of a control plane after a collection: what it needs, without what it has not yet swept up. */
export async function residentBytes({ plane }: BenchMesh, probe: ProcessProbe): Promise<number> {
  await probe.heapAfterCollection();
  return await plane.metric("process_resident_memory_bytes");
}
