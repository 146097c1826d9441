/** Brings the tables of workloads up to a snapshot. */
import type { Clock, Log } from "../lib/mod.ts";
import { type MeshSnapshot, proxyView } from "../mesh/mod.ts";
import { nextTurn } from "../platform/mod.ts";
import { changedViews, classTable, isSameContent, nextContent } from "./class-table.ts";
import type { ResourceSource } from "./resource-source.ts";
import type { SecretSource } from "./table-secrets.ts";
import type { Subscription, Workload } from "./workload-set.ts";

export interface TableUpdateOptions {
  readonly resources: ResourceSource;
  readonly secrets: SecretSource;
  readonly clock: Clock;
  readonly log: Log;
}

/** Longest stretch of work between two turns for the streams. */
const TURN_MS = 10;

/** Gives the workloads the tables of this snapshot; returns the subscriptions that have another table now. */
export async function updateTables(
  workloads: ReadonlySet<Workload>,
  snapshot: MeshSnapshot,
  options: TableUpdateOptions,
): Promise<ReadonlySet<Subscription>> {
  await lookAtAll(workloads, snapshot, options);
  await options.resources.prepare(viewsOf(workloads));
  const changed = new Set<Subscription>();
  for (const workload of workloads) {
    settle(workload, snapshot.generation, options);
    for (const subscription of workload.subscriptions) {
      if (workload.table === undefined || subscription.table === workload.table) continue;
      subscription.table = workload.table;
      changed.add(subscription);
    }
  }
  return changed;
}

/** Views of many classes in a large mesh take a while: streams get their turns in between. */
async function lookAtAll(
  workloads: ReadonlySet<Workload>,
  snapshot: MeshSnapshot,
  { clock, log }: TableUpdateOptions,
): Promise<void> {
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
function settle(workload: Workload, generation: number, options: TableUpdateOptions): void {
  if (workload.view === undefined) return;
  const content = nextContent(workload.content, workload.view.resources, options.resources.get);
  const isSame = workload.content !== undefined && isSameContent(workload.content, content);
  workload.content = content;
  options.secrets.want(workload.view.identity);
  const secrets = options.secrets.current(workload.view.identity);
  // Complete or silent: without its secrets the proxy could use nothing of the rest.
  if (secrets === undefined || (isSame && secrets === workload.secrets && workload.table !== undefined)) return;
  workload.secrets = secrets;
  workload.table = classTable(generation, content, secrets);
}
