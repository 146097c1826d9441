import { setImmediate as nextTurn } from "node:timers/promises";
import type { KubeObject, ObjectEvent, SourcedObject } from "../kube/objects.ts";
import type { Clock } from "../lib/mod.ts";
import type { StandingObject } from "./manifest-set.ts";
import type { ManifestObject } from "./manifest-text.ts";

/** Turning JSON into objects lets everything else go first after this long. */
const SLICE_MS = 5;

/** The objects themselves, made in slices: thousands at once would hold up the thread. */
export async function sourcedObjects(
  standing: readonly StandingObject[],
  clock: Clock,
): Promise<readonly SourcedObject[]> {
  const objects: SourcedObject[] = [];
  let sliceEndMs = clock.monotonic() + SLICE_MS;
  for (const { manifest, origin } of standing) {
    objects.push({ object: JSON.parse(manifest.json) as KubeObject, origin });
    if (clock.monotonic() < sliceEndMs) continue;
    await nextTurn();
    sliceEndMs = clock.monotonic() + SLICE_MS;
  }
  return objects;
}

/** Tells that an object is gone. */
export function deleteEvent(source: string, { apiVersion, kind, namespace, name }: ManifestObject): ObjectEvent {
  return { type: "delete", source, apiVersion, kind, namespace, name };
}
