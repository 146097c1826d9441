import { createSnapshot, type MeshOptions, type MeshSnapshot } from "./snapshot.ts";
import { viewMemory } from "./view-memory.ts";
import { applyChanges, type ChangedKeys, EMPTY_WORLD, type RecordChange } from "./world.ts";

/** What a batch really changed. */
export interface ChangeSet {
  /** Nothing differs by content: there is nothing to do. */
  readonly isEmpty: boolean;
  /** Generation of the world after the batch. */
  readonly generation: number;
  /** Per kind the records that were added, changed or removed, as `namespace/name`. */
  readonly changed: ChangedKeys;
}

/** The world's records. One writer; readers take snapshots. */
export interface MeshStore {
  /** Applies all changes as one step, in order. */
  apply(changes: readonly RecordChange[]): ChangeSet;
  /** The world as it stands; the same object until something changes. */
  snapshot(): MeshSnapshot;
}

const DEFAULT_OPTIONS: MeshOptions = {
  meshName: "osm",
  osmNamespace: "osm-system",
  trustDomain: "cluster.local",
  clusterDomain: "cluster.local",
};

export function createMeshStore(options: Partial<MeshOptions> = {}): MeshStore {
  const complete = { ...DEFAULT_OPTIONS, ...options };
  const memory = viewMemory();
  let world = EMPTY_WORLD;
  let generation = 0;
  let latest: MeshSnapshot | undefined;
  return {
    apply(changes) {
      const applied = applyChanges(world, changes);
      world = applied.world;
      if (applied.changed.size > 0) generation += 1;
      return { isEmpty: applied.changed.size === 0, generation, changed: applied.changed };
    },
    snapshot() {
      if (latest?.generation === generation) return latest;
      const next = createSnapshot(world, complete, memory, generation, latest);
      const owners = liveOwners(next);
      memory.forget((name) => isAlive(owners, name));
      next.access.derived.forget((name) => isAlive(owners, name));
      latest = next;
      return next;
    },
  };
}

/** An owner is a class key, an identity `<namespace>/<service account>`, a namespace, or nobody. */
function isAlive(owners: ReadonlySet<string>, name: string): boolean {
  const owner = name.slice(name.indexOf(" ") + 1);
  return owner === "" || owners.has(owner);
}

function liveOwners(snapshot: MeshSnapshot): ReadonlySet<string> {
  const owners = new Set<string>();
  for (const model of snapshot.namespaces.values()) {
    owners.add(model.namespace);
    for (const { key, namespace, serviceAccount } of model.workloads.classes.values()) {
      owners.add(key).add(`${namespace}/${serviceAccount}`);
    }
  }
  return owners;
}
