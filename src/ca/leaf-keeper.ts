/** Keeps one fresh leaf for each identity in use. It decides when; how a leaf is made is its caller's business. */
import { type Backoff, backoff, type Clock, type Log } from "../lib/mod.ts";
import type { WorkloadIdentity } from "./certificate-names.ts";
import type { KeyChoice } from "./leaf-key.ts";

/** A leaf as proxies get it. Other replicas can tell from the version alone whether it is still good. */
export interface Leaf {
  readonly issuerId: string;
  readonly serial: string;
  readonly notAfterMs: number;
  /** The encoded secret resource, key included. Never logged. */
  readonly secret: Uint8Array;
}

/** `<issuer>.<serial>.<expiry in ms>`. */
export function leafVersion(leaf: Pick<Leaf, "issuerId" | "serial" | "notAfterMs">): string {
  return `${leaf.issuerId}.${leaf.serial}.${leaf.notAfterMs}`;
}

/** What new leaves are like. */
export interface LeafPolicy extends KeyChoice {
  readonly validitySeconds: number;
}

export interface LeafKeeperOptions {
  /** Makes a leaf. May fail: it is tried again with backoff and the leaf at hand stays. */
  readonly issue: (identity: WorkloadIdentity, policy: LeafPolicy) => Promise<Leaf>;
  readonly policy: LeafPolicy;
  /** An identity has another leaf than before, its first one included. */
  readonly onChange: (identity: WorkloadIdentity, leaf: Leaf) => void;
  readonly clock: Clock;
  /** Numbers in [0, 1). */
  readonly random: () => number;
  readonly log: Log;
}

/** Owns the leaves: one for each identity that somebody wants and that {@link LeafKeeper.retain} has not ended. */
export interface LeafKeeper {
  /** The leaf at hand; undefined until the first one is made. */
  current(identity: WorkloadIdentity): Leaf | undefined;
  /** Sees to it that the identity has a leaf from now on. */
  want(identity: WorkloadIdentity): void;
  /** Forgets every identity for which `isAlive` is false. */
  retain(isAlive: (identity: WorkloadIdentity) => boolean): void;
  /** Holds for leaves made from now on; those in use stay as they are. */
  setPolicy(policy: LeafPolicy): void;
  /** Replaces every leaf now. Resolves with how many; rejects when one could not be made, after having tried all. */
  rotateAll(): Promise<number>;
  /** Stops renewing. */
  stop(): void;
}

/** Renewal starts between these parts of a leaf's life, so that leaves made together are not renewed together. */
const RENEW_FROM = 0.55;
const RENEW_TO = 2 / 3;
/** A leaf that cannot live longer because its CA ends is not replaced more often than this. */
const RENEW_MIN_MS = 1000;
/** Timers of the runtime end at 24.8 days and stand still while a machine sleeps: look at the wall clock this often. */
const SLEEP_MAX_MS = 3_600_000;
const RETRY_BASE_MS = 1000;
const RETRY_MAX_MS = 60_000;

interface Kept {
  readonly identity: WorkloadIdentity;
  readonly retry: Backoff;
  leaf?: Leaf;
  /** The issuing that is under way. */
  issuing?: Promise<void>;
  cancelTimer?: () => void;
  isForgotten: boolean;
}

/** Creates a {@link LeafKeeper}. */
export function createLeafKeeper(options: LeafKeeperOptions): LeafKeeper {
  const keptByKey = new Map<string, Kept>();
  let policy = options.policy;

  const wakeAt = (kept: Kept, dueMs: number) => {
    kept.cancelTimer?.();
    const waitMs = Math.min(Math.max(0, dueMs - options.clock.now()), SLEEP_MAX_MS);
    kept.cancelTimer = options.clock.after(waitMs, () => {
      if (options.clock.now() < dueMs) wakeAt(kept, dueMs);
      else void issue(kept).catch((error: unknown) => retryLater(kept, error));
    });
  };
  const retryLater = (kept: Kept, error: unknown) => {
    if (kept.isForgotten) return;
    const waitMs = kept.retry.next();
    options.log.error("cannot issue a certificate", {
      namespace: kept.identity.namespace,
      serviceAccount: kept.identity.serviceAccount,
      error: error instanceof Error ? error.message : String(error),
      retryMs: Math.round(waitMs),
      expiresMs: kept.leaf?.notAfterMs,
    });
    wakeAt(kept, options.clock.now() + waitMs);
  };
  /** One at a time for each identity; who asks while one is under way shares it. */
  const issue = (kept: Kept): Promise<void> => {
    kept.issuing ??= issueNow(kept).finally(() => {
      delete kept.issuing;
    });
    return kept.issuing;
  };
  const issueNow = async (kept: Kept) => {
    kept.cancelTimer?.();
    const startedMs = options.clock.now();
    const leaf = await options.issue(kept.identity, policy);
    if (kept.isForgotten) return;
    kept.leaf = leaf;
    kept.retry.reset();
    const part = RENEW_FROM + options.random() * (RENEW_TO - RENEW_FROM);
    wakeAt(kept, startedMs + Math.max((leaf.notAfterMs - startedMs) * part, RENEW_MIN_MS));
    options.onChange(kept.identity, leaf);
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
      const kept: Kept = { identity, retry, isForgotten: false };
      keptByKey.set(keyOf(identity), kept);
      void issue(kept).catch((error: unknown) => retryLater(kept, error));
    },
    retain(isAlive) {
      for (const [key, kept] of keptByKey) if (!isAlive(kept.identity)) forget(key, kept);
    },
    setPolicy(next) {
      policy = next;
    },
    rotateAll: () => rotateAll([...keptByKey.values()], issue, retryLater),
    stop() {
      for (const [key, kept] of keptByKey) forget(key, kept);
    },
  };
}

async function rotateAll(
  all: readonly Kept[],
  issue: (kept: Kept) => Promise<void>,
  retryLater: (kept: Kept, error: unknown) => void,
): Promise<number> {
  const failures: unknown[] = [];
  await Promise.all(
    all.map(async (kept) => {
      // What is under way may have begun before the caller had its reason to rotate.
      await kept.issuing?.catch(() => undefined);
      if (kept.isForgotten) return;
      await issue(kept).catch((error: unknown) => {
        failures.push(error);
        retryLater(kept, error);
      });
    }),
  );
  if (failures.length > 0) {
    throw new Error(`${failures.length} of ${all.length} certificates could not be renewed`, { cause: failures[0] });
  }
  return all.length;
}

function keyOf(identity: WorkloadIdentity): string {
  return `${identity.namespace}/${identity.serviceAccount}`;
}
