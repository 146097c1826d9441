/**
 * A real control plane over a folder, and many clients over mTLS on loopback: one endpoint of one service changes, and
 * all of them get it.
 */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { KubeObject } from "../src/kube/objects.ts";
import { Fleet } from "./clients/fleet.ts";
import { type ControlPlaneProcess, startControlPlane } from "./control-plane.ts";
import { type ExactCount, type Findings, summarize } from "./measurement.ts";
import { endpointsName, makeWorld, type World } from "./world.ts";

const ROUNDS = 40;
const WARM_UP_ROUNDS = 5;
const SERVICES = 10;

/** Every pod of the mesh has one client, and every client sees every service. */
export const endToEndSuite = [50, 200].map((clients) => ({
  name: `end-to-end/${clients} clients`,
  async run(isWanted: (name: string) => boolean): Promise<Findings> {
    const name = `end-to-end/${clients} clients`;
    return isWanted(name) ? await oneEndpoint(name, clients) : { measurements: [], counts: [] };
  },
}));

async function oneEndpoint(name: string, clients: number): Promise<Findings> {
  const shape = { services: SERVICES, podsPerService: clients / SERVICES, namespaces: 5, callers: 0, seed: 1 };
  const world = makeWorld(shape);
  const folder = writeWorld(world);
  const prepared = prepareSlices(world);
  const plane = await startControlPlane(folder, { workers: 1 });
  const fleet = new Fleet();
  try {
    const credentials = await Promise.all(world.pods.map((pod) => plane.credential(pod)));
    await fleet.connect(plane.xds, credentials, endpointsName(shape, 0));
    for (let round = 0; round < WARM_UP_ROUNDS; round++) await oneRound({ world, folder, prepared, fleet }, round);
    const before = await observe(plane, fleet);
    const delays: { first: number; last: number }[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      delays.push(await oneRound({ world, folder, prepared, fleet }, WARM_UP_ROUNDS + round));
    }
    const after = await observe(plane, fleet);
    await fleet.reconnect();
    const reconnected = await observe(plane, fleet);
    const spent = difference(before, after);
    const counts = [
      count(`${name}: deliveries per change`, spent.responses / ROUNDS),
      count(`${name}: resources delivered per change`, spent.resources / ROUNDS),
      count(`${name}: resources generated per change`, spent.generated / ROUNDS),
      count(`${name}: deliveries of what the client had`, spent.repeated),
      count(`${name}: refused responses`, spent.refused),
      count(`${name}: bytes per delivery`, Math.round(spent.bytes / spent.responses)),
      count(`${name}: resources delivered by a reconnect of all`, difference(after, reconnected).resources),
    ];
    return {
      measurements: [
        {
          name: `${name}: change to first acknowledgement`,
          unit: "ms",
          samples: summarize(delays.map((d) => d.first)),
        },
        { name: `${name}: change to last acknowledgement`, unit: "ms", samples: summarize(delays.map((d) => d.last)) },
        {
          name: `${name}: server CPU per delivery`,
          unit: "ms",
          samples: summarize([(spent.cpuSeconds * 1000) / spent.responses]),
        },
      ],
      counts,
    };
  } finally {
    fleet.stop();
    await plane.stop();
    for (const each of [folder, prepared]) rmSync(each, { recursive: true, force: true });
  }
}

interface Bench {
  readonly world: World;
  /** What is served. */
  readonly folder: string;
  /** One file for each round, to be renamed into place. */
  readonly prepared: string;
  readonly fleet: Fleet;
}

/** The first service gets another endpoint; ms from the file's replacement to the acknowledgements. */
async function oneRound(
  { world, folder, prepared, fleet }: Bench,
  round: number,
): Promise<{ first: number; last: number }> {
  const changed = fleet.changed();
  const startedAt = process.hrtime.bigint();
  renameSync(join(prepared, `${round}.json`), join(folder, SLICE_FILE));
  const { acknowledgedAt, contents } = await changed;
  const own = world.pods.slice(0, world.shape.podsPerService).map(({ address }) => address);
  const expected = [...own, furtherAddress(round)].sort().join(" ");
  if (contents.length !== 1 || contents[0] !== expected) {
    throw new Error(`after a change the clients have ${contents.join(" | ")} instead of ${expected}`);
  }
  const delays = acknowledgedAt.map((at) => Number(BigInt(at) - startedAt) / 1e6);
  return { first: Math.min(...delays), last: Math.max(...delays) };
}

/** Never seen before: what was generated once would be found again. */
function furtherAddress(round: number): string {
  return `10.200.0.${round + 1}`;
}

/** Written well before they are renamed, as an editor's files are: the kernel's clock of files moves in steps of 4 ms. */
function prepareSlices(world: World): string {
  const folder = mkdtempSync(join(tmpdir(), "osm-bench-next-"));
  for (let round = 0; round < WARM_UP_ROUNDS + ROUNDS; round++) {
    writeFileSync(join(folder, `${round}.json`), JSON.stringify(world.slice(0, [furtherAddress(round)])));
  }
  return folder;
}

const SLICE_FILE = "changing-slice.json";

/** The slice that changes lies in a file of its own. */
function writeWorld(world: World): string {
  const folder = mkdtempSync(join(tmpdir(), "osm-bench-world-"));
  const changing = world.slice(0);
  const isOther = ({ kind, metadata }: KubeObject) =>
    kind !== changing.kind ||
    metadata.name !== changing.metadata.name ||
    metadata.namespace !== changing.metadata.namespace;
  const list = { apiVersion: "v1", kind: "List", items: world.objects.filter(isOther) };
  writeFileSync(join(folder, "world.json"), JSON.stringify(list));
  writeFileSync(join(folder, SLICE_FILE), JSON.stringify(changing));
  return folder;
}

/** What server and clients have counted so far. */
async function observe(plane: ControlPlaneProcess, fleet: Fleet) {
  const [counted, generated, refused, cpuSeconds] = await Promise.all([
    fleet.counts(),
    plane.metric("osm_push_resources_generated_total"),
    plane.metric("osm_xds_nacks_total"),
    plane.metric("process_cpu_seconds_total"),
  ]);
  return { ...counted, generated, refused, cpuSeconds };
}

type Observed = Awaited<ReturnType<typeof observe>>;

function difference(before: Observed, after: Observed): Observed {
  const keys = Object.keys(after) as (keyof Observed)[];
  return Object.fromEntries(keys.map((key) => [key, after[key] - before[key]])) as unknown as Observed;
}

function count(name: string, value: number): ExactCount {
  return { name, value };
}
