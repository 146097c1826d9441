import type { RotationResult } from "../admin/mod.ts";
import type { DeliveryTracker, StreamDelivery } from "../push/mod.ts";
import { TYPE_URLS } from "../xds/mod.ts";
import type { MeshSecrets } from "./mesh-secrets.ts";

const LEAF_NAME = "service-cert";
const ACKNOWLEDGE_TIMEOUT_MS = 60_000;

/** Replaces every leaf and waits until every proxy that uses one has acknowledged its new one. */
export async function rotateCertificates(secrets: MeshSecrets, tracker: DeliveryTracker): Promise<RotationResult> {
  await secrets.rotateAll();
  // A proxy that may call nobody and is called by nobody has no use for its leaf, and asks for it no more.
  const usesLeaf = (stream: StreamDelivery) =>
    stream.secretVersions.has(LEAF_NAME) && stream.isSubscribed(TYPE_URLS.secret, LEAF_NAME);
  await tracker.whenAll(
    (stream) => !usesLeaf(stream) || stream.secretVersions.get(LEAF_NAME) === secrets.leafVersionOf(stream.peer),
    ACKNOWLEDGE_TIMEOUT_MS,
  );
  return { proxies: tracker.streams().filter(usesLeaf).length };
}
