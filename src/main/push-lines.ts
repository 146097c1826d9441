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
  const names = new Set<string>();
  for (const { changed } of changes) {
    for (const [kind, keys] of changed) for (const key of keys) names.add(`${kind} ${key.replace(/^\//, "")}`);
  }
  return listed([...names].sort(), "object", "objects");
}

function people(peers: readonly Peer[]): string {
  const names = [...new Set(peers.map(({ namespace, pod }) => `${namespace}/${pod}`))].sort();
  return listed(names, "proxy", "proxies");
}

function listed(names: readonly string[], one: string, many: string): string {
  const left = names.length - NAMES_MAX;
  if (left <= 0) return names.join(", ");
  return `${names.slice(0, NAMES_MAX).join(", ")} and ${left} more ${left === 1 ? one : many}`;
}

const count = (number: number, noun: string) => `${number} ${noun}${number === 1 ? "" : "s"}`;
