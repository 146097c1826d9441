import type { PushReport } from "../push/mod.ts";
import type { Peer } from "../xds/mod.ts";

const NAMES_MAX = 3;

/** One line for a person: what changed, what was pushed to whom, and how long the last acknowledgement took. */
export function pushLine(report: PushReport): string {
  const changed = changedObjects(report);
  const head = `#${report.generation} ${changed === "" ? "no object" : changed} changed`;
  if (report.proxies.length === 0 && report.waiting.length === 0) return `${head}: nothing to push`;
  const sent = `${count(report.resources, "resource")} (${report.bytes} B) to ${people(report.proxies)}`;
  const late = report.waiting.length === 0 ? "" : `; still waiting for ${people(report.waiting)}`;
  return `${head}: pushed ${sent}, acknowledged by the last after ${report.ms.toFixed(1)} ms${late}`;
}

function changedObjects({ changes }: PushReport): string {
  const byKind = new Map<string, ReadonlySet<string>>();
  for (const { changed } of changes) {
    for (const [kind, keys] of changed) {
      const known = byKind.get(kind);
      byKind.set(kind, known === undefined ? keys : new Set([...known, ...keys]));
    }
  }
  const names: string[] = [];
  let objects = 0;
  for (const kind of [...byKind.keys()].sort()) {
    const keys = byKind.get(kind) ?? new Set();
    objects += keys.size;
    const shown = smallest(keys, NAMES_MAX - names.length);
    names.push(...shown.map((key) => `${kind} ${key.replace(/^\//, "")}`));
  }
  return listed(names, objects, "object", "objects");
}

function people(peers: readonly Peer[]): string {
  const names = new Set(peers.map(({ namespace, pod }) => `${namespace}/${pod}`));
  return listed(smallest(names, NAMES_MAX), names.size, "proxy", "proxies");
}

/** The first few in order: thousands are not sorted for it. */
function smallest(names: Iterable<string>, count: number): readonly string[] {
  const found: string[] = [];
  for (const name of names) {
    const last = found[count - 1];
    if (count === 0 || (last !== undefined && name >= last)) continue;
    found.push(name);
    found.sort();
    if (found.length > count) found.pop();
  }
  return found;
}

function listed(names: readonly string[], total: number, one: string, many: string): string {
  const left = total - names.length;
  if (left <= 0) return names.join(", ");
  return `${names.join(", ")} and ${left} more ${left === 1 ? one : many}`;
}

const count = (number: number, noun: string) => `${number} ${noun}${number === 1 ? "" : "s"}`;
