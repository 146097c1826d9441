/**
 * Keeps the table of every workload class that somebody is subscribed to. The latest snapshot wins: there is no queue of
 * snapshots, and one pass at a time takes the world as it stands.
 */
import type { Clock, Log, Metrics } from "../lib/mod.ts";
import {
  type ChangeSet,
  classOf,
  type Identity,
  type MeshSnapshot,
  type ProxyView,
  podOfProxy,
  proxyView,
} from "../mesh/mod.ts";
import { nextTurn } from "../platform/mod.ts";
import type { Peer, Resource, ResourceTable, TableSource, TableSubscription } from "../xds/resource.ts";
import { type ClassContent, changedViews, classTable, isSameContent, nextContent } from "./class-table.ts";
import { fanOutWindow } from "./fan-out-window.ts";
import type { ResourceSource } from "./resource-source.ts";

/** The secrets that every table of an identity carries: its leaf and the trust bundle. */
export interface SecretSource {
  /** Undefined until there is a leaf. The same array until one of the secrets changes. */
  current(identity: Identity): readonly Resource[] | undefined;
  /** Sees to it that there will be a leaf; `PushEngine.secretsChanged` is called then. */
  want(identity: Identity): void;
  /** Forgets the identities that nobody has any more. */
  retain(isAlive: (identity: Identity) => boolean): void;
}

/** A change of the world on its way to the proxies. */
export interface Push {
  readonly generation: number;
  /** All that changed since the push before. */
  readonly changes: readonly ChangeSet[];
  /** When the first of them was published, on the monotonic clock. */
  readonly publishedAt: number;
  /** Proxies that got another table. */
  readonly peers: readonly Peer[];
}

export interface PushEngineOptions {
  readonly resources: ResourceSource;
  readonly secrets: SecretSource;
  /** Told of every published change, also of those that touch nobody, before any stream is told. */
  readonly onPush: (push: Push) => void;
  readonly clock: Clock;
  readonly log: Log;
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

interface Subscription {
  readonly peer: Peer;
  readonly onChange: () => void;
  workload: Workload | undefined;
  table: ResourceTable | undefined;
}

/** A workload class that somebody is subscribed to. */
interface Workload {
  readonly key: string;
  readonly subscriptions: Set<Subscription>;
  view?: ProxyView;
  content?: ClassContent;
  secrets?: readonly Resource[];
  table?: ResourceTable;
}

/** What one pass has to do. */
interface Pass {
  readonly snapshot: MeshSnapshot;
  /** Undefined: no new world, only new subscriptions or secrets. */
  readonly published?: { readonly changes: readonly ChangeSet[]; readonly at: number };
  readonly workloads: ReadonlySet<Workload>;
}

/** Longest stretch of work between two turns for the streams. */
const TURN_MS = 10;

/** Creates a {@link PushEngine}. Nothing has a table before the first snapshot is published. */
export function createPushEngine(options: PushEngineOptions): PushEngine {
  const { clock, log, resources, secrets } = options;
  const measure = passMetrics(options.metrics);
  const subscriptions = new Set<Subscription>();
  const workloads = new Map<string, Workload>();
  let latest: MeshSnapshot | undefined;
  /** The snapshot that tables are made of: the latest one, or one before it while that waits for its turn. */
  let adopted: MeshSnapshot | undefined;
  let published: { changes: ChangeSet[]; at: number } | undefined;
  const unplaced = new Set<Subscription>();
  const stale = new Set<Workload>();
  let notBefore = Number.NEGATIVE_INFINITY;
  let isRunning = false;
  let isStopped = false;
  let cancelTimer: (() => void) | undefined;

  const leave = (subscription: Subscription) => {
    const { workload } = subscription;
    workload?.subscriptions.delete(subscription);
    if (workload?.subscriptions.size === 0) workloads.delete(workload.key);
    subscription.workload = undefined;
  };
  /** A proxy whose pod is gone, or left the mesh, belongs nowhere and keeps the table that it has. */
  const place = (subscription: Subscription, world: MeshSnapshot) => {
    const key = classKeyOf(world, subscription.peer);
    if (key !== undefined && key === subscription.workload?.key) return;
    // Where a view of the new class cannot be generated, the last good resource of the old one serves.
    const { content } = subscription.workload ?? {};
    leave(subscription);
    if (key === undefined) return;
    let workload = workloads.get(key);
    if (workload === undefined) {
      workload = { key, subscriptions: new Set(), ...(content && { content }) };
      workloads.set(key, workload);
    }
    workload.subscriptions.add(subscription);
    subscription.workload = workload;
    stale.add(workload);
  };
  const nextPass = (): Pass | undefined => {
    const due = published !== undefined && clock.monotonic() >= notBefore ? published : undefined;
    if (due !== undefined) {
      adopted = latest;
      published = undefined;
    }
    if (adopted === undefined) return undefined;
    for (const subscription of due === undefined ? unplaced : subscriptions) place(subscription, adopted);
    unplaced.clear();
    const affected = new Set(due === undefined ? stale : workloads.values());
    stale.clear();
    if (due === undefined && affected.size === 0) return undefined;
    return { snapshot: adopted, workloads: affected, ...(due && { published: due }) };
  };
  const runPass = async (pass: Pass) => {
    const startedAt = clock.monotonic();
    if (pass.published) secrets.retain((identity) => isAlive(pass.snapshot, identity));
    await lookAtAll(pass, clock, log);
    await resources.prepare(viewsOf(pass.workloads));
    const changed = new Set<Subscription>();
    for (const workload of pass.workloads) {
      settle(workload, pass.snapshot.generation, options);
      for (const subscription of workload.subscriptions) {
        if (workload.table === undefined || subscription.table === workload.table) continue;
        subscription.table = workload.table;
        changed.add(subscription);
      }
    }
    if (pass.published) {
      options.onPush({
        generation: pass.snapshot.generation,
        changes: pass.published.changes,
        publishedAt: pass.published.at,
        peers: [...changed].map(({ peer }) => peer),
      });
      notBefore = startedAt + fanOutWindow(changed.size);
    }
    measure(pass.published !== undefined, changed.size, clock.monotonic() - startedAt);
    for (const subscription of changed) if (subscriptions.has(subscription)) subscription.onChange();
  };
  const run = async () => {
    if (isRunning || isStopped) return;
    isRunning = true;
    try {
      // Everything that is published or subscribed to in this turn belongs to one pass.
      await Promise.resolve();
      for (let pass = nextPass(); pass !== undefined && !isStopped; pass = nextPass()) await runPass(pass);
    } finally {
      isRunning = false;
      sleep();
    }
  };
  /** Wakes up for a push that waits for its window, or a view that may be tried again. */
  const sleep = () => {
    cancelTimer?.();
    cancelTimer = undefined;
    if (isStopped) return;
    const retryAt = resources.retryAt() ?? Number.POSITIVE_INFINITY;
    const at = published === undefined ? retryAt : Math.min(notBefore, retryAt);
    if (at === Number.POSITIVE_INFINITY) return;
    cancelTimer = clock.after(Math.max(0, at - clock.monotonic()), () => {
      if (clock.monotonic() >= retryAt) for (const workload of workloads.values()) stale.add(workload);
      start();
    });
  };
  const start = () => {
    void run().catch((error: unknown) => {
      // Tables stay as they were; the next change starts a new pass.
      log.error("a push failed", { error: error instanceof Error ? error.message : String(error) });
    });
  };

  return {
    subscribe(peer, onChange): TableSubscription {
      const subscription: Subscription = { peer, onChange, workload: undefined, table: undefined };
      subscriptions.add(subscription);
      // A class that is at hand is served at once: a reconnecting proxy waits for no pass.
      if (adopted !== undefined) place(subscription, adopted);
      subscription.table = subscription.workload?.table;
      if (subscription.table === undefined) unplaced.add(subscription);
      start();
      return {
        current: () => subscription.table,
        close() {
          subscriptions.delete(subscription);
          unplaced.delete(subscription);
          leave(subscription);
        },
      };
    },
    publish(next, changes) {
      if (next.generation === latest?.generation) return;
      latest = next;
      published ??= { changes: [], at: clock.monotonic() };
      published.changes.push(changes);
      start();
    },
    secretsChanged(identity) {
      for (const workload of workloads.values()) {
        const own = workload.view?.identity;
        if (own?.namespace === identity.namespace && own.serviceAccount === identity.serviceAccount)
          stale.add(workload);
      }
      start();
    },
    tableOf: (uuid) => [...subscriptions].find(({ peer }) => peer.uuid === uuid)?.table,
    stop() {
      isStopped = true;
      cancelTimer?.();
    },
  };
}

function classKeyOf(snapshot: MeshSnapshot, peer: Peer): string | undefined {
  const pod = podOfProxy(snapshot, peer.uuid, peer);
  return pod === undefined ? undefined : classOf(snapshot, pod.namespace, pod.name);
}

function isAlive(snapshot: MeshSnapshot, identity: Identity): boolean {
  for (const workload of snapshot.namespaces.get(identity.namespace)?.workloads.classes.values() ?? []) {
    if (workload.serviceAccount === identity.serviceAccount) return true;
  }
  return false;
}

/** Views of many classes in a large mesh take a while: streams get their turns in between. */
async function lookAtAll({ workloads, snapshot }: Pass, clock: Clock, log: Log): Promise<void> {
  let turnStartedAt = clock.monotonic();
  for (const workload of workloads) {
    look(workload, snapshot, log);
    if (clock.monotonic() - turnStartedAt < TURN_MS) continue;
    await nextTurn();
    turnStartedAt = clock.monotonic();
  }
}

/** Reads the class's view anew. A view that cannot be made costs this class its update, and nobody else theirs. */
function look(workload: Workload, snapshot: MeshSnapshot, log: Log): void {
  try {
    workload.view = proxyView(snapshot, workload.key);
  } catch (error) {
    log.error("cannot make the view of a workload class; its last table stays", {
      class: workload.key,
      error: error instanceof Error ? error.message : String(error),
    });
  }
}

function* viewsOf(workloads: Iterable<Workload>) {
  for (const { view, content } of workloads) if (view !== undefined) yield* changedViews(content, view.resources);
}

/** Gives the workload another table when what it holds has changed. */
function settle(workload: Workload, generation: number, options: PushEngineOptions): void {
  if (workload.view === undefined) return;
  const content = nextContent(workload.content, workload.view.resources, options.resources.get);
  const isSame = workload.content !== undefined && isSameContent(workload.content, content);
  workload.content = content;
  options.secrets.want(workload.view.identity);
  const secrets = options.secrets.current(workload.view.identity);
  // Complete or silent: without a leaf the proxy could use nothing of the rest.
  if (secrets === undefined || (isSame && secrets === workload.secrets && workload.table !== undefined)) return;
  workload.secrets = secrets;
  workload.table = classTable(generation, content, secrets);
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
