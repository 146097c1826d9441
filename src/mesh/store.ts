import { finish, type Steps } from "../lib/mod.ts";
import { createSnapshot, type MeshOptions, type MeshSnapshot } from "./snapshot.ts";
import { viewMemory } from "./view-memory.ts";
import { ownersAmong } from "./workload-class.ts";
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
  /** The same in steps, the snapshot included: both are seen with the last step and not before. One at a time. */
  applyInSteps(changes: readonly RecordChange[]): Steps<ChangeSet>;
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
  function* applied(changes: readonly RecordChange[]) {
    const next = yield* applyChanges(world, changes);
    const isEmpty = next.changed.size === 0;
    const after = isEmpty ? generation : generation + 1;
    return { world: next.world, changes: { isEmpty, generation: after, changed: next.changed } };
  }
  const adopt = (snapshot: MeshSnapshot) => {
    // Most batches say what is known already.
    if (snapshot === latest) return snapshot;
    if (!hasSameClasses(latest, snapshot)) memory.forget((owner) => isAlive(snapshot, owner));
    latest = snapshot;
    return snapshot;
  };
  return {
    apply(changes) {
      const next = finish(applied(changes));
      world = next.world;
      generation = next.changes.generation;
      return next.changes;
    },
    *applyInSteps(changes) {
      const next = yield* applied(changes);
      const snapshot =
        latest?.generation === next.changes.generation
          ? latest
          : yield* createSnapshot(next.world, complete, memory, next.changes.generation, latest);
      world = next.world;
      generation = next.changes.generation;
      adopt(snapshot);
      return next.changes;
    },
    snapshot: () =>
      latest?.generation === generation
        ? latest
        : adopt(finish(createSnapshot(world, complete, memory, generation, latest))),
  };
}

function hasSameClasses(before: MeshSnapshot | undefined, after: MeshSnapshot): boolean {
  if (before === undefined || before.namespaces.size !== after.namespaces.size) return false;
  for (const [namespace, { workloads }] of after.namespaces) {
    if (before.namespaces.get(namespace)?.workloads.classes !== workloads.classes) return false;
  }
  return true;
}

/** An owner is a class key, an identity `<namespace>/<service account>`, or a namespace. */
function isAlive({ namespaces, memory }: MeshSnapshot, owner: string): boolean {
  const slash = owner.indexOf("/");
  const classes = namespaces.get(slash < 0 ? owner : owner.slice(0, slash))?.workloads.classes;
  return classes !== undefined && (slash < 0 || ownersAmong(classes, memory).has(owner));
}
