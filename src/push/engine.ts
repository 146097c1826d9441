/**
 * Keeps the table of every workload class that somebody is subscribed to. The latest snapshot wins: there is no queue of
 * snapshots, and one pass at a time takes the world as it stands.
 */
import type { Metrics } from "../lib/mod.ts";
import { type ChangeSet, type Identity, isIdentityUsed, type MeshSnapshot, viewChanges } from "../mesh/mod.ts";
import type { Peer, ResourceTable, TableSource, TableSubscription } from "../xds/resource.ts";
import { type DebounceWindow, debounceWindow } from "./debounce-window.ts";
import { latestSnapshot, type Published } from "./latest-snapshot.ts";
import { PassRetries } from "./pass-retries.ts";
import { type TableUpdateOptions, type TableWork, tableUpdater } from "./table-update.ts";
import { tellStreams } from "./tell-streams.ts";
import type { Subscription } from "./workload.ts";
import { createWorkloadSet, type WorkloadSet } from "./workload-set.ts";

/** A change of the world on its way to the proxies. */
export interface Push {
  readonly generation: number;
  /** All that changed since the push before. */
  readonly changes: readonly ChangeSet[];
  /** When the first of them was published, on the monotonic clock. */
  readonly publishedAt: number;
}

/** Follows a push on its way. */
export interface PushFollowing {
  /** The proxy has another table; its stream hears of it next. */
  told(peer: Peer): void;
  /** All of them were told. */
  toldAll(): void;
}

export interface PushEngineOptions extends TableUpdateOptions {
  /** Told of every published change, also of those that touch nobody, before any stream is told. Undefined: nobody follows it. */
  readonly onPush: (push: Push) => PushFollowing | undefined;
  readonly metrics: Metrics;
}

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
const nothing = () => undefined;

/** What one pass has to do. */
interface Pass extends TableWork {
  /** Undefined: no new world, only new subscriptions or secrets. */
  readonly published: Published | undefined;
}

/** Creates a {@link PushEngine}. Nothing has a table before the first snapshot is published. */
export function createPushEngine(options: PushEngineOptions): PushEngine {
  const { clock, resources } = options;
  const set = createWorkloadSet();
  const window = debounceWindow();
  const latest = latestSnapshot(clock);
  let cancelSweep: (() => void) | undefined;
  const sweepSecrets = () => {
    cancelSweep ??= clock.after(SWEEP_MS, () => {
      cancelSweep = undefined;
      const snapshot = latest.adopted();
      if (snapshot !== undefined) options.secrets.retain((identity) => isIdentityUsed(snapshot, identity));
    });
  };
  const runPass = passRunner(options, set, window, sweepSecrets);
  /** The snapshot that all tables were brought up to. */
  let settled: MeshSnapshot | undefined;
  const retries = new PassRetries(clock);
  /** When to try again views that failed, on the monotonic clock. */
  let retryViewsAt = Number.POSITIVE_INFINITY;
  let isRunning = false;
  let isStopped = false;
  let cancelTimer: (() => void) | undefined;

  const nextPass = (): Pass | undefined => {
    const published = latest.takeDue();
    const snapshot = latest.adopted();
    if (snapshot === undefined) return undefined;
    const changes = snapshot === settled ? undefined : viewChanges(settled, snapshot);
    if (changes?.hasOtherParts === true) {
      set.place(snapshot);
      set.renewParts(snapshot);
    } else set.place(snapshot, changes?.namespaces ?? NO_NAMESPACES);
    const stale = set.takeStale();
    if (changes === undefined && published === undefined && stale.size === 0) return undefined;
    return { snapshot, changes, stale, published };
  };
  /** Tells those as well that could not be told before. */
  const tellAll = () => tellStreams(clock, set.workloads(), nothing);
  const run = async () => {
    isRunning = true;
    const isRetry = retries.isDue;
    let failure: unknown;
    try {
      // Everything that is published or subscribed to in this turn belongs to one pass.
      await Promise.resolve();
      for (let pass = nextPass(); pass !== undefined && !isStopped; pass = nextPass()) {
        const startedAt = clock.monotonic();
        const { streams, untold } = await runPass(pass);
        failure ??= untold;
        settled = pass.snapshot;
        if (pass.published !== undefined) latest.holdUntil(startedAt + window.msAfter(streams, startedAt));
      }
      if (isRetry) failure ??= await tellAll();
    } catch (error) {
      failure = error;
      // The next pass looks at everything. Tables that this one had made already are as good as any, and are told of.
      settled = undefined;
      await tellAll(); // Who cannot be told is met again by the next try.
    }
    if (failure === undefined) retries.succeeded(isRetry);
    else {
      const error = failure instanceof Error ? failure.message : String(failure);
      if (retries.failed(isRetry, error)) options.log.error("a push failed; it is tried again", { error });
    }
    isRunning = false;
    sleep();
  };
  const take = (subscription: Subscription) => {
    if (subscription.isTold) {
      subscription.isTold = false;
      window.taken(clock.monotonic());
    }
    return subscription.table;
  };
  const start = () => {
    if (!isRunning && !isStopped) void run();
  };
  /** Wakes up for a push that waits for its window, or for a view or a pass that may be tried again. */
  const sleep = () => {
    cancelTimer?.();
    cancelTimer = undefined;
    // It may have become time in the pass that has just ended, after views were asked for.
    const isTime = clock.monotonic() >= retryViewsAt;
    retryViewsAt = resources.retryAt() ?? Number.POSITIVE_INFINITY;
    if (isTime) set.markUnsettled();
    const at = isTime ? Number.NEGATIVE_INFINITY : Math.min(latest.dueAt(), retryViewsAt, retries.dueAt);
    if (isStopped || at === Number.POSITIVE_INFINITY) return;
    cancelTimer = clock.after(Math.max(0, at - clock.monotonic()), () => {
      if (clock.monotonic() >= retryViewsAt) {
        retryViewsAt = Number.POSITIVE_INFINITY;
        set.markUnsettled();
      }
      start();
    });
  };

  return {
    subscribe(peer, onChange): TableSubscription {
      const subscription = set.subscribe(peer, onChange, latest.adopted());
      start();
      return { current: () => take(subscription), close: () => set.close(subscription) };
    },
    publish(next, changes) {
      // An endpoint that is gone costs requests: it waits for those alone that are being told of the last push.
      const now = clock.monotonic();
      const adopted = latest.adopted();
      if (latest.isHeld() && viewChanges(adopted, next).losesEndpoints) latest.hurry(now + window.backlogMs());
      latest.publish(next, changes);
      start();
    },
    secretsChanged(identity) {
      set.markIdentity(identity);
      start();
    },
    tableOf: (uuid) => set.find(uuid)?.table,
    stop() {
      isStopped = true;
      cancelTimer?.();
      cancelSweep?.();
    },
  };
}

interface PassResult {
  /** How many proxies it touched. */
  readonly streams: number;
  /** Why some of them could not be told. */
  readonly untold: Error | undefined;
}

/** One pass, told to streams and observers. Rejects when it has to be gone through again. */
function passRunner(
  options: PushEngineOptions,
  set: WorkloadSet,
  window: DebounceWindow,
  sweepSecrets: () => void,
): (pass: Pass) => Promise<PassResult> {
  const { clock } = options;
  const updateTables = tableUpdater(options, set);
  const measure = passMetrics(options.metrics);
  return async (pass) => {
    const { snapshot, changes, published } = pass;
    const startedAt = clock.monotonic();
    if (changes !== undefined && (changes.hasOtherParts || changes.namespaces.size > 0)) sweepSecrets();
    const { workloads, streams, failure } = await updateTables(pass);
    const { generation } = snapshot;
    const following =
      published && options.onPush({ generation, changes: published.changes, publishedAt: published.at });
    const now = clock.monotonic();
    measure(published !== undefined, streams, now - startedAt);
    window.told(streams, now);
    const untold = await tellStreams(clock, workloads, ({ peer }) => following?.told(peer));
    following?.toldAll();
    if (failure !== undefined) throw failure;
    return { streams, untold };
  };
}

function passMetrics(metrics: Metrics) {
  const seconds = metrics.histogram(
    "osm_push_pass_seconds",
    "Time from taking over a snapshot to the new tables",
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
  );
  const pushes = metrics.counter(
    "osm_proxy_broadcast_event_count",
    "Changes of the mesh that were looked at for all proxies",
  );
  const tables = metrics.counter("osm_push_tables_changed_total", "Proxies that got another table");
  return (isPublished: boolean, changed: number, ms: number) => {
    seconds.observe(ms / 1000);
    if (isPublished) pushes.add();
    tables.add(changed);
  };
}
