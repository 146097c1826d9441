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

/** Each proxy is in the list once. Thousands of names are compared and not put together: proxies wait for this thread. */
function people(peers: readonly Peer[]): string {
  const first: Peer[] = [];
  for (const peer of peers) {
    const last = first[NAMES_MAX - 1];
    if (last !== undefined && !isBefore(peer, last)) continue;
    const position = first.findIndex((other) => isBefore(peer, other));
    first.splice(position < 0 ? first.length : position, 0, peer);
    if (first.length > NAMES_MAX) first.pop();
  }
  const names = first.map(({ namespace, pod }) => `${namespace}/${pod}`);
  return listed(names, peers.length, "proxy", "proxies");
}

function isBefore(left: Peer, right: Peer): boolean {
  return left.namespace === right.namespace ? left.pod < right.pod : left.namespace < right.namespace;
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
