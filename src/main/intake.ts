import type { ObjectEvent } from "../kube/mod.ts";
import type { Clock, Rejection, Steps } from "../lib/mod.ts";
import { type ChangeSet, createMeshStore, type MeshOptions, type MeshSnapshot } from "../mesh/mod.ts";
import { nextTurn, workInTurns, workOneSlice } from "../platform/mod.ts";
import { createTranslation } from "../translate/mod.ts";
import { createPodDirectory, type PodDirectory } from "./pod-directory.ts";

export interface IntakeOptions {
  readonly mesh: MeshOptions;
  readonly clock: Clock;
  /** Sources that must have said all they know before anything is served. */
  readonly sources: readonly string[];
  /** The first complete world, then each one that differs from the one before. */
  readonly onChange: (snapshot: MeshSnapshot, changes: ChangeSet) => void;
}

/** The start of the line: object events in, snapshots out. One writer. */
export interface Intake {
  /**
   * Takes a batch in, after all batches before it: a small one at once, a big one in slices, to be seen as a whole once
   * the promise resolves. What arrives meanwhile waits in memory, so a source that can say more than it said before
   * waits for the promise before it says it.
   */
  accept(events: readonly ObjectEvent[]): Promise<void>;
  /** A batch is being taken in: objects without effect may be told of before the batch is seen. */
  readonly isBusy: () => boolean;
  /** What is not taken in by now never will be; nobody is told of anything any more. */
  stop(): void;
  /** Sources that have not spoken yet; nothing is served while there is one. */
  readonly missing: () => readonly string[];
  /** The world as it was taken in last. */
  readonly snapshot: () => MeshSnapshot;
  readonly rejections: () => readonly Rejection[];
  readonly ignoredKinds: () => ReadonlyMap<string, number>;
  readonly pods: PodDirectory;
}

const DONE = Promise.resolve();

/** Creates an {@link Intake} over an empty world. */
export function createIntake(options: IntakeOptions): Intake {
  const store = createMeshStore(options.mesh);
  const translation = createTranslation({
    meshName: options.mesh.meshName,
    osmNamespace: options.mesh.osmNamespace,
  });
  const pods = createPodDirectory();
  const missing = new Set(options.sources);
  let last: Promise<void> | undefined;
  let isStopped = false;

  function* takeIn(events: readonly ObjectEvent[]): Steps<void> {
    const recordChanges = yield* translation.applyInSteps(events);
    const changes = yield* store.applyInSteps(recordChanges);
    yield* pods.note(events, recordChanges);
    const wasSynced = missing.size === 0;
    for (const event of events) if (event.type === "reset") missing.delete(event.source);
    if (missing.size > 0) return;
    if (!wasSynced || !changes.isEmpty) options.onChange(store.snapshot(), changes);
  }
  const follow = (before: Promise<void>, steps: Steps<void>) => {
    const rest = before.then(
      async () => void (isStopped || (await workInTurns(steps, options.clock, () => isStopped))),
    );
    last = rest;
    const forget = () => {
      if (last === rest) last = undefined;
    };
    rest.then(forget, forget);
    return rest;
  };
  return {
    accept(events) {
      if (isStopped) return DONE;
      const steps = takeIn(events);
      // A batch that could not be taken in is its source's trouble, and no later one's.
      const before = last?.catch(() => undefined);
      if (before === undefined && workOneSlice(steps, options.clock) !== undefined) return DONE;
      return follow(before ?? nextTurn(), steps);
    },
    isBusy: () => last !== undefined,
    stop() {
      isStopped = true;
    },
    missing: () => [...missing],
    snapshot: () => store.snapshot(),
    rejections: () => [...translation.rejections(), ...store.snapshot().rejections],
    ignoredKinds: () => translation.ignoredKinds(),
    pods,
  };
}
