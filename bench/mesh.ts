/** A control plane over a world's folder, with a CA that the bench knows and a fleet of simulated proxies: what most benches begin with. */
import { join } from "node:path";
import { removedAtExit } from "../src/fleet/at-exit.ts";
import { FolderFeed } from "../src/fleet/feed.ts";
import { startFleet } from "../src/fleet/fleet.ts";
import type { Fleet, Opened, ProxySpec } from "../src/fleet/fleet-api.ts";
import { scratchFolder } from "../src/fleet/scratch-folder.ts";
import type { Shape } from "../src/fleet/shape.ts";
import { type FileKey, World } from "../src/fleet/world.ts";
import { silentLog, systemClock } from "../src/lib/mod.ts";
import { type ControlPlaneOptions, type ControlPlaneProcess, startControlPlane } from "./control-plane.ts";
import { type MeshAuthority, makeAuthority, SERVER_NAME } from "./mesh-authority.ts";

export interface BenchMesh {
  readonly world: World;
  readonly feed: FolderFeed;
  readonly authority: MeshAuthority;
  readonly plane: ControlPlaneProcess;
  /** One for each pod of the world, in its order; not connected yet. */
  readonly fleet: Fleet;
  readonly proxies: readonly ProxySpec[];
  /** Resident bytes of the control plane before any proxy was there. */
  readonly emptyBytes: number;
  close(): Promise<void>;
}

/** Proxies that one process of a fleet simulates at most. */
const PROXIES_PER_PROCESS = 5_000;

/** A fleet that connects to a server whose certificate is of this CA. */
export function openFleet(xds: string, authority: MeshAuthority, proxies: readonly ProxySpec[]): Promise<Fleet> {
  return startFleet({
    target: { address: xds, tls: { rootsPem: authority.rootsPem, serverName: SERVER_NAME } },
    proxies,
    processes: Math.ceil(proxies.length / PROXIES_PER_PROCESS),
    clock: systemClock(),
    log: silentLog(),
  });
}

export async function openMesh(shape: Shape, options: Partial<ControlPlaneOptions> = {}): Promise<BenchMesh> {
  const root = scratchFolder("osm-bench-world-");
  const close: (() => unknown)[] = [removedAtExit(root)];
  const closeAll = async () => {
    for (const action of close.splice(0).reverse()) await action();
  };
  try {
    const world = new World(shape);
    const folder = join(root, "served");
    const feed = new FolderFeed(folder);
    close.push(() => feed.close());
    feed.writeAll(world, new Set<FileKey>(world.fileKeys()));
    const authority = await makeAuthority();
    close.push(() => authority.close());
    const proxies = await authority.proxies(world.pods());
    const plane = await startControlPlane(folder, { workers: 1, ...options, caDir: authority.dir });
    close.push(() => plane.stop());
    const emptyBytes = await plane.metric("process_resident_memory_bytes");
    const fleet = await openFleet(plane.xds, authority, proxies);
    close.push(() => fleet.stop());
    return { world, feed, authority, plane, fleet, proxies, emptyBytes, close: closeAll };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

/** Throws unless every proxy got all that it asked for. */
export function requireAll(what: string, { missing }: Opened): void {
  if (missing.length > 0) throw new Error(`${what}: ${missing.length} proxies never had all that they asked for`);
}
