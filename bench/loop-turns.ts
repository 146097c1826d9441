/**
 * What the control plane's main thread works in its longest turns, in processor time: how long whatever else has come may
 * have to wait there, on a machine that does nothing else.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { FolderFeed } from "../src/fleet/feed.ts";
import { INBOUND_ROUTE } from "../src/fleet/oracle-names.ts";
import { scratchFolder } from "../src/fleet/scratch-folder.ts";
import type { Shape } from "../src/fleet/shape.ts";
import { type FileKey, World } from "../src/fleet/world.ts";
import { startControlPlane } from "./control-plane.ts";
import { type BenchMesh, openMesh, requireAll } from "./mesh.ts";
import { ROUTE } from "./peers/contender.ts";
import { INSPECT, openProbe, type ProcessProbe } from "./process-probe.ts";
import { noteTurns } from "./turn-work.ts";

/** Proxies that know the ten services of their namespace, whether the mesh is permissive or not. */
export const SCOPED: Shape = {
  services: 30,
  pods: 10,
  namespaces: 3,
  mode: "smi",
  scope: "namespace",
  calls: { kind: "namespace" },
  splits: 0,
  seed: 1,
};
/** A turn that is long in each of them is among the two longest of all. */
const STARTS = 2;
const STORMS = 3;
const FLIPS = 4;
const PATIENCE_MS = 60_000;

/** Milliseconds of processor time of each turn, while this happened. */
export interface LoopTurns {
  readonly coldStart: readonly number[];
  /** All proxies come again at once, with the tickets and the versions that they have. */
  readonly reconnects: readonly number[];
  /** The mesh becomes permissive, and back. */
  readonly flips: readonly number[];
}

export async function loopTurns(shape: Shape, nodeFlags: readonly string[] = []): Promise<LoopTurns> {
  const mesh = await openMesh(shape, { nodeFlags: [INSPECT, ...nodeFlags] });
  try {
    const probe = await openProbe(mesh.plane.words());
    try {
      return await turnsIn(mesh, probe);
    } finally {
      probe.close();
    }
  } finally {
    await mesh.close();
  }
}

/** Notes turns from the moment on from which somebody may be waiting: the state dir's lock is a socket, what is served has a port. */
const FROM_LISTENING_ON = `
import { subscribe } from "node:diagnostics_channel";
subscribe("tracing:net.server.listen:asyncStart", ({ options }) => {
  if (options.port !== undefined) (${noteTurns.toString()})();
});
`;

/**
 * Milliseconds of processor time of each turn of control planes that start, one after the other, on a folder in which all that
 * may change has a file of its own: until they serve proxies. None of these is there yet.
 */
export async function startTurns(shape: Shape, nodeFlags: readonly string[] = []): Promise<readonly number[]> {
  const root = scratchFolder("osm-bench-start-");
  const folder = join(root, "served");
  const feed = new FolderFeed(folder);
  try {
    const world = new World(shape);
    feed.writeAll(world, new Set<FileKey>(world.fileKeys()));
    const noting = ["--import", `data:text/javascript,${encodeURIComponent(FROM_LISTENING_ON)}`];
    const workedMs: number[] = [];
    for (let n = 0; n < STARTS; n++) {
      const plane = await startControlPlane(folder, { workers: 1, nodeFlags: [INSPECT, ...noting, ...nodeFlags] });
      try {
        workedMs.push(...(await turnsSoFar(plane.words())));
      } finally {
        await plane.stop();
      }
    }
    return workedMs;
  } finally {
    feed.close();
    rmSync(root, { recursive: true, force: true });
  }
}

async function turnsSoFar(words: string): Promise<readonly number[]> {
  const probe = await openProbe(words);
  try {
    // The first time begins to note, which has been done.
    await probe.turns();
    return (await probe.turns()).workedMs;
  } finally {
    probe.close();
  }
}

async function turnsIn(mesh: BenchMesh, probe: ProcessProbe): Promise<LoopTurns> {
  const during = async (times: number, happen: (turn: number) => Promise<void>) => {
    await probe.turns();
    for (let turn = 0; turn < times; turn++) await happen(turn);
    return (await probe.turns()).workedMs;
  };
  const { fleet } = mesh;
  const limit = { timeoutMs: PATIENCE_MS };
  return {
    coldStart: await during(1, async () => requireAll("the cold start", await fleet.connect(limit))),
    reconnects: await during(STORMS, async () => requireAll("the reconnects", await fleet.reopen(limit))),
    flips: await during(FLIPS, (turn) => flip(mesh, turn)),
  };
}

/** The longest but one: what the machine does to a single turn says nothing of the program. NaN, below no bound, of fewer than two. */
export function longestButOne(workedMs: readonly number[]): number {
  return [...workedMs].sort((left, right) => right - left)[1] ?? Number.NaN;
}

async function flip({ world, feed, fleet }: BenchMesh, changeId: number): Promise<void> {
  world.isPermissive = !world.isPermissive;
  const { commit } = feed.prepare(world, ["config"]);
  await fleet.watch({ changeId, typeUrl: ROUTE, name: INBOUND_ROUTE, contains: "" });
  commit();
  const { missing } = await fleet.collect(changeId, PATIENCE_MS);
  if (missing.length > 0) throw new Error(`a flip of permissive mode: ${missing.length} proxies were not told`);
}
