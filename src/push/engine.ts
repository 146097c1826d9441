/**
 * Keeps the table of every workload class that somebody is subscribed to. The latest snapshot wins: there is no queue of
 * snapshots, and one pass at a time takes the world as it stands.
 */
import { type ChangeSet, type Identity, isIdentityUsed, type MeshSnapshot, viewChanges } from "../mesh/mod.ts";
import type { Peer, ResourceTable, TableSource, TableSubscription } from "../xds/resource.ts";
import { debounceWindow } from "./debounce-window.ts";
import { type LatestSnapshot, latestSnapshot } from "./latest-snapshot.ts";
import { type Pass, type PassOptions, passRunner } from "./pass.ts";
import { PassRetries } from "./pass-retries.ts";
import { tellStreams } from "./tell-streams.ts";
import type { Subscription } from "./workload.ts";
import { WorkloadSet } from "./workload-set.ts";

export interface PushEngine extends TableSource {
  /** Takes over a snapshot of a complete world. */
  publish(snapshot: MeshSnapshot, changes: ChangeSet): void;
  /** The identity's leaf, or the trust bundle, is another one. */
  secretsChanged(identity: Identity): void;
  /** The table that a proxy is served from, for debugging. */
  tableOf(uuid: string): ResourceTable | undefined;
  /** Stops passes and timers; subscriptions stay as they are. */
  stop(): void;
}

/** The secrets of identities that nobody has any more are looked for so long after a change, once for all that come meanwhile. */
const SWEEP_MS = 1000;
const NO_NAMESPACES: ReadonlySet<string> = new Set();
const NEVER = Number.POSITIVE_INFINITY;
const nothing = () => undefined;

/** Creates a {@link PushEngine}. Nothing has a table before the first snapshot is published. */
export function createPushEngine(options: PassOptions): PushEngine {
  return new Engine(options);
}

class Engine implements PushEngine {
  readonly #options: PassOptions;
  readonly #set = new WorkloadSet();
  readonly #window = debounceWindow();
  readonly #latest: LatestSnapshot;
  readonly #retries: PassRetries;
  readonly #runPass: ReturnType<typeof passRunner>;
  /** The snapshot that all tables were brought up to. */
  #settled: MeshSnapshot | undefined;
  /** When to try again views that failed, on the monotonic clock. */
  #retryViewsAt = NEVER;
  #isRunning = false;
  #isStopped = false;
  #cancelTimer: (() => void) | undefined;
  #cancelSweep: (() => void) | undefined;

  constructor(options: PassOptions) {
    this.#options = options;
    this.#latest = latestSnapshot(options.clock);
    this.#retries = new PassRetries(options.clock);
    this.#runPass = passRunner(options, this.#set, this.#window);
  }

  subscribe(peer: Peer, onChange: () => void): TableSubscription {
    const subscription = this.#set.subscribe(peer, onChange, this.#latest.adopted());
    this.#start();
    return { current: () => this.#take(subscription), close: () => this.#set.close(subscription) };
  }

  publish(next: MeshSnapshot, changes: ChangeSet): void {
    const latest = this.#latest;
    // An endpoint that is gone costs requests: it waits for those alone that are being told of the last push.
    if (latest.isHeld() && viewChanges(latest.adopted(), next).losesEndpoints) {
      latest.hurry(this.#options.clock.monotonic() + this.#window.backlogMs());
    }
    latest.publish(next, changes);
    this.#start();
  }

  secretsChanged(identity: Identity): void {
    this.#set.markIdentity(identity);
    this.#start();
  }

  tableOf(uuid: string): ResourceTable | undefined {
    return this.#set.find(uuid)?.table;
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer?.();
    this.#cancelSweep?.();
  }

  #take(subscription: Subscription): ResourceTable | undefined {
    if (subscription.isTold) {
      subscription.isTold = false;
      this.#window.taken(this.#options.clock.monotonic());
    }
    return subscription.table;
  }

  #start(): void {
    if (!this.#isRunning && !this.#isStopped) void this.#run();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    const isRetry = this.#retries.isDue;
    let failure: unknown;
    try {
      // Everything that is published or subscribed to in this turn belongs to one pass.
      await Promise.resolve();
      if (isRetry) this.#set.retryFailed();
      failure = await this.#runPasses();
      if (isRetry) failure ??= await this.#tellAll();
    } catch (error) {
      failure = error;
      // The next pass looks at everything. Tables that this one had made already are as good as any, and are told of.
      this.#settled = undefined;
      await this.#tellAll(); // Who cannot be told is met again by the next try.
    }
    if (failure === undefined) this.#retries.succeeded(isRetry);
    else {
      const error = failure instanceof Error ? failure.message : String(failure);
      if (this.#retries.failed(isRetry, error)) this.#options.log.error("a push failed; it is tried again", { error });
    }
    this.#isRunning = false;
    this.#sleep();
  }

  /** As many as there is a reason for. Resolves with why something failed that costs itself alone, if so. */
  async #runPasses(): Promise<Error | undefined> {
    const { clock } = this.#options;
    let failure: Error | undefined;
    while (!this.#isStopped) {
      const pass = this.#nextPass();
      if (pass === undefined) break;
      const startedAt = clock.monotonic();
      const done = await this.#runPass(pass);
      failure ??= done.failure;
      this.#settled = pass.snapshot;
      if (pass.published === undefined) continue;
      this.#latest.holdUntil(startedAt + this.#window.msAfter(done.streams, startedAt));
    }
    return failure;
  }

  #nextPass(): Pass | undefined {
    const published = this.#latest.takeDue();
    const snapshot = this.#latest.adopted();
    if (snapshot === undefined) return undefined;
    const changes = snapshot === this.#settled ? undefined : viewChanges(this.#settled, snapshot);
    if (changes?.hasOtherParts === true) {
      this.#set.place(snapshot);
      this.#set.renewParts(snapshot);
    } else this.#set.place(snapshot, changes?.namespaces ?? NO_NAMESPACES);
    const stale = this.#set.takeStale();
    if (changes === undefined && published === undefined && stale.size === 0) return undefined;
    if (changes !== undefined && (changes.hasOtherParts || changes.namespaces.size > 0)) this.#sweepSecrets();
    return { snapshot, changes, stale, published };
  }

  /** Tells those as well that could not be told before. */
  #tellAll(): Promise<Error | undefined> {
    return tellStreams(this.#options.clock, this.#set.workloads(), nothing);
  }

  /** Wakes up for a push that waits for its window, or for a view or a pass that may be tried again. */
  #sleep(): void {
    const { clock, resources } = this.#options;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    // It may have become time in the pass that has just ended, after views were asked for.
    const isTime = clock.monotonic() >= this.#retryViewsAt;
    this.#retryViewsAt = resources.retryAt() ?? NEVER;
    if (isTime) this.#set.markUnsettled();
    const at = isTime
      ? Number.NEGATIVE_INFINITY
      : Math.min(this.#latest.dueAt(), this.#retryViewsAt, this.#retries.dueAt);
    if (this.#isStopped || at === NEVER) return;
    this.#cancelTimer = clock.after(Math.max(0, at - clock.monotonic()), () => {
      if (clock.monotonic() >= this.#retryViewsAt) {
        this.#retryViewsAt = NEVER;
        this.#set.markUnsettled();
      }
      this.#start();
    });
  }

  #sweepSecrets(): void {
    const { clock, secrets } = this.#options;
    this.#cancelSweep ??= clock.after(SWEEP_MS, () => {
      this.#cancelSweep = undefined;
      const snapshot = this.#latest.adopted();
      if (snapshot !== undefined) secrets.retain((identity) => isIdentityUsed(snapshot, identity));
    });
  }
}
