import type { RotationResult } from "../admin/mod.ts";
import { SECRETS } from "../envoy/secrets.ts";
import type { DeliveryTracker, StreamDelivery } from "../push/mod.ts";
import { TYPE_URLS } from "../xds/mod.ts";
import type { MeshSecrets } from "./mesh-secrets.ts";

const LEAF = SECRETS.serviceCertificate;
const ACKNOWLEDGE_TIMEOUT_MS = 60_000;

/** Replaces every leaf and waits until every proxy that uses one has acknowledged its new one. */
export async function rotateCertificates(secrets: MeshSecrets, tracker: DeliveryTracker): Promise<RotationResult> {
  // A stream has one peer object as long as it lives.
  const openBefore = new Set(tracker.streams().map(({ peer }) => peer));
  await secrets.rotateAll();
  // A proxy that may call nobody and is called by nobody has no use for its leaf, and does not ask for it.
  const usesLeaf = (stream: StreamDelivery) => stream.isSubscribed(TYPE_URLS.secret, LEAF);
  const hasCurrent = (stream: StreamDelivery) => {
    const version = stream.secretVersion(LEAF);
    if (version === secrets.leafVersionOf(stream.peer)) return true;
    // A stream that was opened since either said that it holds the new leaf, or was sent it: there is nothing to wait for.
    return version === undefined && !openBefore.has(stream.peer);
  };
  await tracker.whenAll((stream) => hasCurrent(stream) || !usesLeaf(stream), ACKNOWLEDGE_TIMEOUT_MS);
  return { proxies: tracker.streams().filter(usesLeaf).length };
}
