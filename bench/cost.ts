/** What a delivery, a connection and a proxy cost the control plane: figures for two commits in turns (`npm run bench:compare`). */
import { namedShape } from "../src/fleet/mod.ts";
import { type Findings, summarize } from "./measurement.ts";
import { residentBytes } from "./memory.ts";
import { type BenchMesh, openMesh, requireAll } from "./mesh.ts";
import { ours } from "./peers/contender.ts";
import { makeChanges } from "./peers/versus.ts";
import { INSPECT, openProbe } from "./process-probe.ts";
import { allocatedPerDelivery } from "./soft-counters.ts";

const SAMPLES = 5;
const CHANGES_PER_SAMPLE = 20;
const WARM_UP_CHANGES = 40;

const NAMES = {
  allocated: "cost/delivery, allocated",
  delivery: "cost/delivery, server CPU",
  connection: "cost/connection, server CPU",
  memory: "cost/proxy, memory added",
} as const;
const NOTHING: Findings = { measurements: [], counts: [] };

/** On 200 proxies that see 20 services. */
export const costSuite = {
  name: "cost",
  async run(isWanted: (name: string) => boolean): Promise<Findings> {
    if (!Object.values(NAMES).some(isWanted)) return NOTHING;
    const shape = namedShape("W1");
    if (shape === undefined) throw new Error("there is no shape W1");
    const allocated: number[] = [];
    for (let n = 0; n < SAMPLES; n++) allocated.push(await allocatedPerDelivery());
    const mesh = await openMesh(shape, { nodeFlags: [INSPECT] });
    try {
      const probe = await openProbe(mesh.plane.words());
      const none = await residentBytes(mesh, probe);
      requireAll("cost", await mesh.fleet.connect());
      const added = ((await residentBytes(mesh, probe)) - none) / mesh.proxies.length;
      // What is looked into may run slower.
      probe.close();
      const delivery = await cpuPerDelivery(mesh);
      const connection = await cpuPerConnection(mesh);
      return {
        measurements: [
          { name: NAMES.allocated, unit: "bytes", samples: summarize(allocated) },
          { name: NAMES.delivery, unit: "µs", samples: summarize(delivery) },
          { name: NAMES.connection, unit: "µs", samples: summarize(connection) },
          { name: NAMES.memory, unit: "MiB", samples: summarize([added / 2 ** 20]) },
        ],
        counts: [],
      };
    } finally {
      await mesh.close();
    }
  },
};

/** Of endpoint changes that all proxies see, acknowledgements included. */
async function cpuPerDelivery(mesh: BenchMesh): Promise<readonly number[]> {
  const contender = ours(mesh, "");
  let made = 0;
  const changes = (count: number) => {
    const numbers = Array.from({ length: count }, (_, n) => made + n);
    made += count;
    return makeChanges(contender, numbers, "endpoint");
  };
  await changes(WARM_UP_CHANGES);
  const found: number[] = [];
  for (let n = 0; n < SAMPLES; n++) {
    const { cpuSeconds } = await changes(CHANGES_PER_SAMPLE);
    found.push((cpuSeconds * 1e6) / (CHANGES_PER_SAMPLE * mesh.proxies.length));
  }
  return found;
}

/** Of streams that are opened with a full handshake and nothing in hand. */
async function cpuPerConnection({ plane, fleet, proxies }: BenchMesh): Promise<readonly number[]> {
  const found: number[] = [];
  for (let n = 0; n < SAMPLES; n++) {
    const before = await plane.metric("process_cpu_seconds_total");
    requireAll("cost", await fleet.reopen({ forget: true, withoutResumption: true }));
    found.push((((await plane.metric("process_cpu_seconds_total")) - before) * 1e6) / proxies.length);
  }
  return found;
}
