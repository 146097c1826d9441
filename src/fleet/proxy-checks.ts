/** What a server need not, or must not, have sent: counted, and judged by the oracle. */
import type { ReadResponse, Transition } from "./envoy-resources.ts";
import type { ResourceTable } from "./envoy-table.ts";
import { CLUSTER, ENDPOINTS, LISTENER, ROUTE } from "./envoy-types.ts";
import type { ProxyCounts } from "./proxy-counts.ts";

const NOTHING: readonly string[] = [];

/** Of a proxy, and of the response's type. */
interface Asked {
  /** It had to be told again what it holds. */
  readonly mayRepeat: boolean;
  /** Undefined: nothing. */
  readonly awaited: ReadonlySet<string> | undefined;
  /** What it is subscribed to. */
  readonly names: ReadonlySet<string>;
}

/** Endpoints that a changed cluster waits for have to come again; whatever else is equal need not have come. */
export function countNeedless(
  counts: ProxyCounts,
  type: number,
  response: ReadResponse,
  transition: Transition,
  { mayRepeat, awaited, names }: Asked,
): void {
  const { changed, removed } = transition;
  const repeated = mayRepeat ? NOTHING : transition.repeated;
  // A state-of-the-world response has to name what did not change beside what did.
  if (response.isWhole) {
    if (changed.length + removed.length === 0) counts.ofType(type).repeated += repeated.length;
    return;
  }
  for (const name of repeated) {
    if (type === ENDPOINTS && awaited?.has(name)) counts.requiredEndpoints++;
    else counts.ofType(type).repeated++;
  }
  if (type === CLUSTER || type === LISTENER) return;
  for (const { name } of response.resources) if (!names.has(name)) counts.unrequested++;
  if (removed.length === response.removed.length) return;
  const had = new Set(removed.map(({ name }) => name));
  for (const name of response.removed) if (!had.has(name) && !awaited?.has(name)) counts.removedUnknown++;
}

/** Listeners and routes must not name clusters that were not sent. */
export function countUnsentClusters(counts: ProxyCounts, { changed }: Transition, clusters: ResourceTable): void {
  for (const { type, references } of changed) {
    for (const name of references.clusters) {
      if (clusters.resources.has(name)) continue;
      if (type === ROUTE) counts.routesBeforeClusters++;
      else counts.listenersBeforeClusters++;
    }
  }
}
