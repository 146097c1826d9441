/**
 * Keeps a fresh leaf for each identity that asks for one, and remembers which leaves of other processes' making may stay.
 * It decides when; how a leaf is made is its caller's business.
 */
import { type Backoff, backoff, type Clock, type Log } from "../lib/mod.ts";
import type { WorkloadIdentity } from "./certificate-names.ts";
import type { KeyChoice } from "./leaf-key.ts";
import { factsIn, type LeafFacts, renewAtMs } from "./leaf-version.ts";

/** A leaf as proxies get it. */
export interface Leaf {
  /** See `LeafVersions`. */
  readonly version: string;
  /** The encoded secret resource, key included. Never logged. */
  readonly secret: Uint8Array;
}

/** What new leaves are like. */
export interface LeafPolicy extends KeyChoice {
  readonly validitySeconds: number;
}

export interface LeafKeeperOptions {
  /** Makes a leaf. May fail: it is tried again with backoff and the leaf at hand stays. */
  readonly issue: (identity: WorkloadIdentity, policy: LeafPolicy) => Promise<Leaf>;
  /** What an authentic version of this identity and of the issuer in force says; undefined for any other text. */
  readonly read: (identity: WorkloadIdentity, version: string) => LeafFacts | undefined;
  readonly policy: LeafPolicy;
  /** When all leaves were last rotated, by whomever; minus infinity for never. */
  readonly rotatedAtMs: number;
  /** An identity has another leaf than before, its first one included, or an accepted one is accepted no more. */
  readonly onChange: (identity: WorkloadIdentity) => void;
  /** A version was accepted that was not accepted before. */
  readonly onAccept: () => void;
  readonly clock: Clock;
  /** Numbers in [0, 1). */
  readonly random: () => number;
  readonly log: Log;
}

/** Owns the leaves: one record for each identity that somebody wants and that {@link LeafKeeper.retain} has not ended. */
export interface LeafKeeper {
  /** The leaf at hand; undefined until the first one is made. */
  current(identity: WorkloadIdentity): Leaf | undefined;
  /** Starts to look after an identity. Nothing is issued for it before {@link LeafKeeper.need}. */
  want(identity: WorkloadIdentity): void;
  /** Sees to it that a wanted identity has a leaf from now on. */
  need(identity: WorkloadIdentity): void;
  /**
   * Whether a proxy of a wanted identity may go on with the leaf of this version, which is not the one at hand: it must be
   * authentic, made after the last rotation, and not due for renewal. It is replaced when that is due.
   */
  accept(identity: WorkloadIdentity, version: string): boolean;
  /** Forgets every identity for which `isAlive` is false. */
  retain(isAlive: (identity: WorkloadIdentity) => boolean): void;
  /** Holds for leaves made from now on; those in use stay as they are. */
  setPolicy(policy: LeafPolicy): void;
  /**
   * Replaces every leaf in use now, accepted ones included. Resolves with how many were made; rejects when one could not
   * be, after having tried all.
   */
  rotateAll(): Promise<number>;
  /** Stops renewing. */
  stop(): void;
}

/** Timers of the runtime end at 24.8 days and stand still while a machine sleeps: look at the wall clock this often. */
const SLEEP_MAX_MS = 3_600_000;
const RETRY_BASE_MS = 1000;
const RETRY_MAX_MS = 60_000;
/** Versions accepted for one identity: replicas that issued for it at the same time. Further ones are replaced. */
const ACCEPTED_MAX = 8;

/**
 * So that thousands are no long task of the main thread, who needs a first leaf meanwhile waits for few others, and what each
 * takes while it is under way is gone soon. The signer takes fewer at a time.
 */
const ROTATED_AT_ONCE = 256;

interface Kept {
  readonly identity: WorkloadIdentity;
  readonly retry: Backoff;
  leaf?: Leaf;
  /** When the next leaf is to be made; infinite while none is needed. */
  issueAtMs: number;
  /** When each version that was accepted is to be replaced. */
  readonly accepted: Map<string, number>;
  /** The issuing that is under way. */
  issuing?: Promise<void>;
  cancelTimer?: () => void;
  isForgotten: boolean;
}

/** Creates a {@link LeafKeeper}. */
export function createLeafKeeper(options: LeafKeeperOptions): LeafKeeper {
  const { clock } = options;
  const keptByKey = new Map<string, Kept>();
  let policy = options.policy;
  let { rotatedAtMs } = options;

  const sleep = (kept: Kept) => {
    kept.cancelTimer?.();
    const dueMs = Math.min(kept.issueAtMs, ...kept.accepted.values());
    if (dueMs === Number.POSITIVE_INFINITY) return;
    const waitMs = Math.min(Math.max(0, dueMs - clock.now()), SLEEP_MAX_MS);
    kept.cancelTimer = clock.after(waitMs, () => wake(kept));
  };
  const wake = (kept: Kept) => {
    const hasEnded = forgetDue(kept.accepted, clock.now());
    const mustIssue = kept.issueAtMs <= clock.now() || (hasEnded && kept.leaf === undefined);
    if (mustIssue) begin(kept);
    else sleep(kept);
    // Who held what has ended gets the leaf at hand; without one it waits for the one that is being made.
    if (hasEnded && kept.leaf !== undefined) options.onChange(kept.identity);
  };
  const retryLater = (kept: Kept, error: unknown) => {
    if (kept.isForgotten) return;
    const waitMs = kept.retry.next();
    options.log.error("cannot issue a certificate", {
      namespace: kept.identity.namespace,
      serviceAccount: kept.identity.serviceAccount,
      error: error instanceof Error ? error.message : String(error),
      retryMs: Math.round(waitMs),
    });
    kept.issueAtMs = clock.now() + waitMs;
    sleep(kept);
  };
  /** One at a time for each identity; who asks while one is under way shares it. */
  const issue = (kept: Kept): Promise<void> => {
    kept.issuing ??= issueNow(kept).finally(() => {
      delete kept.issuing;
    });
    return kept.issuing;
  };
  const begin = (kept: Kept) => {
    void issue(kept).catch((error: unknown) => retryLater(kept, error));
  };
  const issueNow = async (kept: Kept) => {
    kept.cancelTimer?.();
    const leaf = await options.issue(kept.identity, policy);
    if (kept.isForgotten) return;
    kept.leaf = leaf;
    kept.issueAtMs = renewAtMs(factsIn(leaf.version));
    kept.retry.reset();
    sleep(kept);
    options.onChange(kept.identity);
  };
  const forget = (key: string, kept: Kept) => {
    kept.isForgotten = true;
    kept.cancelTimer?.();
    keptByKey.delete(key);
  };

  return {
    current: (identity) => keptByKey.get(keyOf(identity))?.leaf,
    want(identity) {
      if (keptByKey.has(keyOf(identity))) return;
      const retry = backoff({ baseMs: RETRY_BASE_MS, maxMs: RETRY_MAX_MS, random: options.random });
      const issueAtMs = Number.POSITIVE_INFINITY;
      keptByKey.set(keyOf(identity), { identity, retry, issueAtMs, accepted: new Map(), isForgotten: false });
    },
    need(identity) {
      const kept = keptByKey.get(keyOf(identity));
      if (kept !== undefined && !isInUse(kept)) begin(kept);
    },
    accept(identity, version) {
      const kept = keptByKey.get(keyOf(identity));
      const known = kept?.accepted.get(version);
      if (kept === undefined || known !== undefined) return known !== undefined && known > clock.now();
      const facts = options.read(identity, version);
      if (facts === undefined || facts.issuedMs <= rotatedAtMs || kept.accepted.size >= ACCEPTED_MAX) return false;
      const dueMs = renewAtMs(facts);
      if (dueMs <= clock.now()) return false;
      kept.accepted.set(version, dueMs);
      options.onAccept();
      if (kept.issuing === undefined) sleep(kept);
      return true;
    },
    retain(isAlive) {
      for (const [key, kept] of keptByKey) if (!isAlive(kept.identity)) forget(key, kept);
    },
    setPolicy(next) {
      policy = next;
    },
    rotateAll() {
      rotatedAtMs = clock.now();
      const inUse = [...keptByKey.values()].filter((kept) => isInUse(kept) || kept.accepted.size > 0);
      for (const { accepted } of inUse) accepted.clear();
      return rotateAll(inUse, issue, retryLater);
    },
    stop() {
      for (const [key, kept] of keptByKey) forget(key, kept);
    },
  };
}

/** Has a leaf, or is about to. */
function isInUse({ leaf, issuing, issueAtMs }: Kept): boolean {
  return leaf !== undefined || issuing !== undefined || issueAtMs !== Number.POSITIVE_INFINITY;
}

function forgetDue(accepted: Map<string, number>, nowMs: number): boolean {
  const before = accepted.size;
  for (const [version, dueMs] of accepted) if (dueMs <= nowMs) accepted.delete(version);
  return accepted.size < before;
}

async function rotateAll(
  all: readonly Kept[],
  issue: (kept: Kept) => Promise<void>,
  retryLater: (kept: Kept, error: unknown) => void,
): Promise<number> {
  const failures: unknown[] = [];
  const rotate = async (kept: Kept) => {
    // What is under way may have begun before the caller had its reason to rotate.
    await kept.issuing?.catch(() => undefined);
    if (kept.isForgotten) return;
    await issue(kept).catch((error: unknown) => {
      failures.push(error);
      retryLater(kept, error);
    });
  };
  const left = all.values();
  const rotateOneByOne = async () => {
    for (const kept of left) await rotate(kept);
  };
  await Promise.all(Array.from({ length: Math.min(ROTATED_AT_ONCE, all.length) }, rotateOneByOne));
  if (failures.length > 0) {
    throw new Error(`${failures.length} of ${all.length} certificates could not be renewed`, { cause: failures[0] });
  }
  return all.length;
}

function keyOf(identity: WorkloadIdentity): string {
  return `${identity.namespace}/${identity.serviceAccount}`;
}
