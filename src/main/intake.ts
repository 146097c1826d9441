import type { ObjectEvent } from "../kube/mod.ts";
import type { Rejection } from "../lib/mod.ts";
import { type ChangeSet, createMeshStore, type MeshOptions, type MeshSnapshot } from "../mesh/mod.ts";
import { createTranslation } from "../translate/mod.ts";
import { createPodDirectory, type PodDirectory } from "./pod-directory.ts";

export interface IntakeOptions {
  readonly mesh: MeshOptions;
  /** Sources that must have said all they know before anything is served. */
  readonly sources: readonly string[];
  /** The first complete world, then each one that differs from the one before. */
  readonly onChange: (snapshot: MeshSnapshot, changes: ChangeSet) => void;
}

/** The start of the line: object events in, snapshots out. One writer. */
export interface Intake {
  accept(events: readonly ObjectEvent[]): void;
  /** Sources that have not spoken yet; nothing is served while there is one. */
  readonly missing: () => readonly string[];
  readonly snapshot: () => MeshSnapshot;
  readonly rejections: () => readonly Rejection[];
  readonly ignoredKinds: () => ReadonlyMap<string, number>;
  readonly pods: PodDirectory;
}

/** Creates an {@link Intake} over an empty world. */
export function createIntake(options: IntakeOptions): Intake {
  const store = createMeshStore(options.mesh);
  const translation = createTranslation({
    meshName: options.mesh.meshName,
    osmNamespace: options.mesh.osmNamespace,
  });
  const pods = createPodDirectory();
  const missing = new Set(options.sources);
  return {
    accept(events) {
      const wasSynced = missing.size === 0;
      for (const event of events) if (event.type === "reset") missing.delete(event.source);
      const recordChanges = translation.apply(events);
      pods.note(events, recordChanges);
      const changes = store.apply(recordChanges);
      if (missing.size > 0) return;
      if (!wasSynced || !changes.isEmpty) options.onChange(store.snapshot(), changes);
    },
    missing: () => [...missing],
    snapshot: () => store.snapshot(),
    rejections: () => [...translation.rejections(), ...store.snapshot().rejections],
    ignoredKinds: () => translation.ignoredKinds(),
    pods,
  };
}
