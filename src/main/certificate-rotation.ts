import type { RotationResult } from "../admin/mod.ts";
import type { DeliveryTracker, StreamDelivery } from "../push/mod.ts";
import type { MeshSecrets } from "./mesh-secrets.ts";

const LEAF_NAME = "service-cert";
const ACKNOWLEDGE_TIMEOUT_MS = 60_000;

/** Replaces every leaf and waits until every proxy that holds one has acknowledged its new one. */
export async function rotateCertificates(secrets: MeshSecrets, tracker: DeliveryTracker): Promise<RotationResult> {
  await secrets.rotateAll();
  const holdsLeaf = (stream: StreamDelivery) => stream.secretVersions.has(LEAF_NAME);
  await tracker.whenAll(
    (stream) => !holdsLeaf(stream) || stream.secretVersions.get(LEAF_NAME) === secrets.leafVersionOf(stream.peer),
    ACKNOWLEDGE_TIMEOUT_MS,
  );
  return { proxies: tracker.streams().filter(holdsLeaf).length };
}
