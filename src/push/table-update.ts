/** Brings the tables of workloads up to a snapshot: only parts that may differ are looked at, and only who has them is told. */
import type { Clock, Log } from "../lib/mod.ts";
import { findClass, type MeshSnapshot, partView, type ResourceView, type ViewChanges } from "../mesh/mod.ts";
import { ClassTable, holdSecrets } from "./class-table.ts";
import { changedViews, nextContent, type PartContent } from "./part-content.ts";
import type { ResourceSource } from "./resource-source.ts";
import { inSlices } from "./slices.ts";
import type { SecretSource } from "./table-secrets.ts";
import type { UpdatedTables } from "./tell-streams.ts";
import type { Part, Workload } from "./workload.ts";
import type { WorkloadSet } from "./workload-set.ts";

export interface TableUpdateOptions {
  readonly resources: ResourceSource;
  readonly secrets: SecretSource;
  readonly clock: Clock;
  readonly log: Log;
}

export interface TableWork {
  readonly snapshot: MeshSnapshot;
  /** What may differ from the snapshot before; undefined when it is the same. */
  readonly changes: ViewChanges | undefined;
  /** Workloads to look at, whatever became of their parts. */
  readonly stale: ReadonlySet<Workload>;
}

/** A part with the views that it has now. */
interface LookedAt {
  readonly part: Part;
  readonly views: readonly ResourceView[];
}

/** Creates the function that does the work; it resolves with the workloads whose subscriptions are to be told. */
export function tableUpdater(
  options: TableUpdateOptions,
  set: WorkloadSet,
): (work: TableWork) => Promise<UpdatedTables> {
  const { clock, log, resources } = options;
  let serial = 0;
  return async ({ snapshot, changes, stale }) => {
    const lookedAt: LookedAt[] = [];
    const wanted: ResourceView[] = [];
    await inSlices(clock, partsToLookAt(set.parts, changes), (part) => {
      const views = look(part, snapshot, log);
      if (views === undefined) return set.parts.settle(part, false);
      lookedAt.push({ part, views });
      for (const view of changedViews(part.content, views)) wanted.push(view);
    });
    if (wanted.length > 0) await resources.prepare(wanted);
    const affected = new Set(stale);
    await inSlices(clock, lookedAt, ({ part, views }) => {
      serial += 1;
      part.content = nextContent(part.content, views, resources.get, serial);
      set.parts.settle(part, !part.content.hasGaps);
      for (const workload of part.workloads) affected.add(workload);
    });
    const first: Workload[] = [];
    const rest: Workload[] = [];
    let streams = 0;
    let failure: Error | undefined;
    await inSlices(clock, affected, (workload) => {
      const before = workload.table;
      try {
        settle(workload, snapshot.generation, options);
      } catch (error) {
        set.markFailed(workload);
        failure ??= withoutTable(workload, error);
      }
      const { table } = workload;
      const lacking = lackingTable(workload, before);
      if (table === undefined || lacking === 0) return;
      streams += lacking;
      // Who sends requests to an endpoint that is gone loses them; who has one too few does not.
      if (before !== undefined && table !== before && losesEndpoints(before, table)) first.push(workload);
      else rest.push(workload);
    });
    return { workloads: first.concat(rest), streams, failure };
  };
}

/** How many of the workload's subscriptions do not have its table. Of a new one that is all: nobody has to be looked at. */
function lackingTable({ table, subscriptions }: Workload, before: ClassTable | undefined): number {
  if (table !== before) return subscriptions.size;
  let count = 0;
  for (const subscription of subscriptions) if (subscription.table !== table) count++;
  return count;
}

/** Parts that nobody looked at yet or that lack something are looked at every time. */
function partsToLookAt({ all, unsettled }: WorkloadSet["parts"], changes: ViewChanges | undefined): ReadonlySet<Part> {
  const found = new Set(unsettled);
  if (changes === undefined) return found;
  for (const key of changes.parts) {
    const part = all.get(key);
    if (part !== undefined) found.add(part);
  }
  if (changes.stages.size === 0) return found;
  for (const part of all.values()) if (changes.stages.has(part.ref.stage)) found.add(part);
  return found;
}

/**
 * Reads the part's view anew. One that cannot be made costs the classes that have it their update, and nobody else theirs. It is
 * looked at again in every pass: told of once, until it fails otherwise.
 */
function look(part: Part, snapshot: MeshSnapshot, log: Log): readonly ResourceView[] | undefined {
  try {
    for (const { key } of part.workloads) {
      const workload = findClass(snapshot, key);
      if (workload === undefined) continue;
      const views = partView(snapshot, workload, part.ref.stage);
      delete part.failure;
      return views;
    }
  } catch (cause) {
    const error = cause instanceof Error ? cause.message : String(cause);
    const told = { part: part.ref.key, error };
    if (part.failure !== error) log.error("cannot make a part of the view of some classes; what they had stays", told);
    part.failure = error;
  }
  return undefined;
}

/** Gives the workload another table when what it holds has changed. */
function settle(workload: Workload, generation: number, { secrets }: TableUpdateOptions): void {
  const contents: PartContent[] = [];
  for (const { content, isLookedAt } of workload.parts) {
    // It came while others were looked at: its turn is next.
    if (content === undefined || !isLookedAt) return;
    contents.push(content);
  }
  secrets.want(workload.identity);
  const current = secrets.current(workload.identity);
  // Complete or silent: without its secrets the proxy could use nothing of the rest.
  if (current === undefined) return;
  const { table } = workload;
  const hasSameSecrets = workload.secrets?.of === current;
  const hasSameParts = table !== undefined && isMadeOf(table, contents);
  if (hasSameParts && hasSameSecrets) return;
  if (!hasSameSecrets) workload.secrets = holdSecrets(current);
  if (workload.secrets === undefined) return;
  // The same list where it says the same: this one then ends with its turn, and the two tables compare at a glance.
  const parts = hasSameParts ? table.parts : contents;
  workload.table = new ClassTable(generation, parts, workload.secrets, table);
}

function withoutTable({ identity: { namespace, serviceAccount } }: Workload, cause: unknown): Error {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new Error(`cannot make a table for ${namespace}/${serviceAccount}: ${reason}`, { cause });
}

function isMadeOf(table: ClassTable, contents: readonly PartContent[]): boolean {
  return table.parts.length === contents.length && table.parts.every(({ serial }, n) => serial === contents[n]?.serial);
}

function losesEndpoints(before: ClassTable, after: ClassTable): boolean {
  return after.parts.some(
    (part, position) => part.losesEndpoints && part.previousSerial === before.parts[position]?.serial,
  );
}
