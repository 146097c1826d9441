/** Issues leaves in batches: the way to the signing thread and back costs as much as a leaf, so many share it. */
import type { ServiceLeavesRequest, SignedServices } from "../../workers/messages.ts";
import type { Leaf, LeafPolicy, WorkloadIdentity } from "../ca/mod.ts";
import type { Clock } from "../lib/mod.ts";

export interface LeafBatchesOptions {
  readonly sign: (request: ServiceLeavesRequest) => Promise<SignedServices>;
  readonly clock: Clock;
  /** A batch is there. */
  readonly onIssued: (count: number, seconds: number) => void;
}

/** 5 ms of the signing thread with P-256, and less than that of the main thread for what follows from it. */
const BATCH_MAX = 64;
/** A second one is on its way while the signer works on the first. */
const UNDER_WAY_MAX = 2;

interface Waiting {
  readonly identity: WorkloadIdentity;
  readonly policy: LeafPolicy;
  readonly resolve: (leaf: Leaf) => void;
  readonly reject: (error: unknown) => void;
}

/** Gives a function that issues one leaf. What is asked for while the signer is busy goes together. */
export function createLeafBatches(
  options: LeafBatchesOptions,
): (identity: WorkloadIdentity, policy: LeafPolicy) => Promise<Leaf> {
  // As long as there are identities in use: each one asks for one leaf at a time.
  const queue: Waiting[] = [];
  let underWay = 0;
  let isStarting = false;

  const start = () => {
    isStarting = false;
    for (let head = queue[0]; head !== undefined && underWay < UNDER_WAY_MAX; head = queue[0]) {
      void run(head.policy, queue.splice(0, batchLength(queue, head.policy)));
    }
  };
  const run = async (policy: LeafPolicy, batch: readonly Waiting[]) => {
    underWay += 1;
    const startedMs = options.clock.monotonic();
    try {
      const signed = await options.sign(requestOf(policy, batch, options));
      options.onIssued(batch.length, (options.clock.monotonic() - startedMs) / 1000);
      for (const [position, { resolve }] of batch.entries()) resolve(unpack(signed, position));
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
    underWay -= 1;
    start();
  };
  return (identity, policy) =>
    new Promise((resolve, reject) => {
      queue.push({ identity, policy, resolve, reject });
      if (isStarting) return;
      isStarting = true;
      queueMicrotask(start);
    });
}

/** As many from the head as want the same. An RSA key takes a tenth of a second or more: it goes alone. */
function batchLength(queue: readonly Waiting[], policy: LeafPolicy): number {
  if (policy.keyAlgorithm === "RSA") return 1;
  let length = 1;
  while (length < BATCH_MAX && queue[length]?.policy === policy) length += 1;
  return length;
}

function requestOf(
  { keyAlgorithm, keyBits, validitySeconds }: LeafPolicy,
  batch: readonly Waiting[],
  { clock }: LeafBatchesOptions,
): ServiceLeavesRequest {
  return {
    identities: batch.map(({ identity }) => `${identity.namespace}/${identity.serviceAccount}`),
    keyAlgorithm,
    keyBits,
    validityMs: validitySeconds * 1000,
    nowMs: clock.now(),
  };
}

/**
 * Secrets are copied into memory of their own: a view of the frame, or of the runtime's pool of small buffers, would keep all of
 * that alive.
 */
function unpack({ frame, ends, versions }: SignedServices, position: number): Leaf {
  const [version, start, end] = [versions[position], ends[position - 1] ?? 0, ends[position]];
  if (version === undefined || end === undefined) throw new Error("the signer answered with too few leaves");
  return { version, secret: new Uint8Array(frame.slice(start, end)) };
}
