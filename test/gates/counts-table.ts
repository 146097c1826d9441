/** Costs as a text that a person can read and a test can compare. */
import type { CountedAction } from "./actions.ts";
import type { Cost } from "./line.ts";

const COLUMNS: readonly (readonly [heading: string, key: keyof Cost])[] = [
  ["generated", "generated"],
  ["proxies", "proxies"],
  ["responses", "responses"],
  ["resources", "resources"],
  ["spurious", "spurious"],
  ["required", "required"],
  ["removed", "removed"],
  ["refused", "refused"],
  ["bytes", "bytes"],
  ["requests", "requests"],
  ["request-bytes", "requestBytes"],
];
const GAP = "  ";

const LEGEND = `What each action costs, all proxies together. The same on every machine and runtime.

  generated      resources made by the generator, sent or not
  proxies        proxies that were sent something
  responses      discovery responses
  resources      resources in them
  spurious       of those, what the proxy had and did not need again
  required       of those, endpoints that Envoy needs again because their cluster changed
  removed        names of removed resources
  refused        responses that the proxy refused
  bytes          bytes of the responses, without nonces
  requests       discovery requests, each acknowledgement one
  request-bytes  bytes of them, without nonces; with versions, for proxies that reconnect`;

/** Fixed columns, one line for each action. */
export function countsTable(counted: readonly CountedAction[]): string {
  const rows = counted.map(({ world, action, cost }) => [
    `${world}: ${action}`,
    ...COLUMNS.map(([, key]) => String(cost[key])),
  ]);
  const table = [["", ...COLUMNS.map(([heading]) => heading)], ...rows];
  const widths = table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? [];
  const lines = table.map((row) =>
    row.map((cell, n) => (n === 0 ? cell.padEnd(widths[n] ?? 0) : cell.padStart(widths[n] ?? 0))).join(GAP),
  );
  return `${LEGEND}\n\n${lines.map((line) => line.trimEnd()).join("\n")}\n`;
}

/** By heading of a column: the actions whose numbers differ. An action that only one of the two has differs everywhere. */
export function differences(expected: string, actual: string): ReadonlyMap<string, readonly string[]> {
  const before = numbersOf(expected);
  const after = numbersOf(actual);
  const found = new Map<string, string[]>();
  for (const name of new Set([...before.keys(), ...after.keys()])) {
    for (const [column, [heading]] of COLUMNS.entries()) {
      if (before.get(name)?.[column] === after.get(name)?.[column]) continue;
      found.set(heading, [...(found.get(heading) ?? []), name]);
    }
  }
  return found;
}

function numbersOf(table: string): ReadonlyMap<string, readonly string[]> {
  const rows = table.split("\n").flatMap((line) => {
    const match = /^(.+?: .+?)((?:\s+\d+)+)$/.exec(line);
    return match === null ? [] : [[match[1]?.trimEnd() ?? "", (match[2] ?? "").trim().split(/\s+/)] as const];
  });
  return new Map(rows);
}
