/** One pass: the tables of a snapshot, and who is told of them. */
import type { Metrics } from "../lib/mod.ts";
import type { ChangeSet } from "../mesh/mod.ts";
import type { Peer } from "../xds/resource.ts";
import type { DebounceWindow } from "./debounce-window.ts";
import type { Published } from "./latest-snapshot.ts";
import { type TableUpdateOptions, type TableWork, tableUpdater } from "./table-update.ts";
import { tellStreams } from "./tell-streams.ts";
import type { WorkloadSet } from "./workload-set.ts";

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

export interface PassOptions extends TableUpdateOptions {
  /** Told of every published change, also of those that touch nobody, before any stream is told. Undefined: nobody follows it. */
  readonly onPush: (push: Push) => PushFollowing | undefined;
  readonly metrics: Metrics;
}

/** What one pass has to do. */
export interface Pass extends TableWork {
  /** Undefined: no new world, only new subscriptions or secrets. */
  readonly published: Published | undefined;
}

export interface PassResult {
  /** How many proxies it touched. */
  readonly streams: number;
  /** Why some class could not be given a table, or some stream not be told of it: the pass is as good as done for all others. */
  readonly failure: Error | undefined;
}

/** Creates the function that does a pass, and tells streams and observers of it. It rejects when the pass has to be gone through again. */
export function passRunner(
  options: PassOptions,
  set: WorkloadSet,
  window: DebounceWindow,
): (pass: Pass) => Promise<PassResult> {
  const { clock } = options;
  const updateTables = tableUpdater(options, set);
  const measure = passMetrics(options.metrics);
  return async (pass) => {
    const { snapshot, published } = pass;
    const startedAt = clock.monotonic();
    const { workloads, streams, failure } = await updateTables(pass);
    const { generation } = snapshot;
    const following =
      published && options.onPush({ generation, changes: published.changes, publishedAt: published.at });
    const now = clock.monotonic();
    measure(published !== undefined, streams, now - startedAt);
    window.told(streams, now);
    const untold = await tellStreams(clock, workloads, ({ peer }) => following?.told(peer));
    following?.toldAll();
    return { streams, failure: failure ?? untold };
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
