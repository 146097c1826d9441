/** Which pods the selectors of a namespace's Services select. */
import type { Steps } from "../lib/mod.ts";
import { compareText } from "./precedence.ts";
import type { PodRecord, ServiceRecord } from "./records.ts";
import type { RecordDifference } from "./world.ts";

/** What a Service asks of its pods. */
export interface Selector {
  readonly service: string;
  /** At least one. */
  readonly labels: readonly (readonly [name: string, value: string])[];
}

type Selected = ReadonlyMap<string, readonly PodRecord[]>;

/** The selectors of these Services; one without labels selects nothing. */
export function selectorsOf(services: ReadonlyMap<string, ServiceRecord>): readonly Selector[] {
  const selectors: Selector[] = [];
  for (const { name, selector } of services.values()) {
    const labels = Object.entries(selector ?? {});
    if (labels.length > 0) selectors.push({ service: name, labels });
  }
  return selectors;
}

/** The pods of each selector, by name, in steps. */
export function* selectPods(
  selectors: readonly Selector[],
  pods: ReadonlyMap<string, PodRecord>,
): Steps<Map<string, readonly PodRecord[]>> {
  // Each selector is looked up by its first label and then checked in full.
  const carriers = new Map<string, Map<string, PodRecord[]>>();
  for (const { labels } of selectors) {
    const [first] = labels;
    if (first === undefined) continue;
    const [key, value] = first;
    const byValue = carriers.get(key) ?? new Map<string, PodRecord[]>();
    carriers.set(key, byValue.set(value, []));
  }
  for (const pod of pods.values()) {
    yield;
    for (const [key, byValue] of carriers) {
      const value = pod.labels[key];
      if (value !== undefined) byValue.get(value)?.push(pod);
    }
  }
  const selected = new Map<string, readonly PodRecord[]>();
  for (const { service, labels } of selectors) {
    yield;
    const [first] = labels;
    if (first === undefined) continue;
    const found = carriers.get(first[0])?.get(first[1]) ?? [];
    selected.set(service, found.filter((pod) => selects(labels, pod)).sort(byName));
  }
  return selected;
}

/** The same after few pods changed; lists without one of them are the same lists. */
export function selectAgain(
  selectors: readonly Selector[],
  selected: Selected,
  moved: readonly RecordDifference<PodRecord>[],
): Selected {
  let next: Map<string, readonly PodRecord[]> | undefined;
  for (const { before, after } of moved) {
    for (const { service, labels } of selectors) {
      const isIn = after !== undefined && selects(labels, after);
      if (!isIn && (before === undefined || !selects(labels, before))) continue;
      next ??= new Map(selected);
      const list = (next.get(service) ?? []).filter((pod) => pod !== before);
      if (isIn) list.splice(placeOf(list, after), 0, after);
      next.set(service, list);
    }
  }
  return next ?? selected;
}

function selects(labels: Selector["labels"], pod: PodRecord): boolean {
  for (const [key, value] of labels) if (pod.labels[key] !== value) return false;
  return true;
}

function byName(left: PodRecord, right: PodRecord): number {
  return compareText(left.name, right.name);
}

/** Where a pod belongs in a list by name. */
function placeOf(list: readonly PodRecord[], pod: PodRecord): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const other = list[middle];
    if (other !== undefined && byName(other, pod) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
