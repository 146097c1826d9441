import { counted } from "./counted.ts";
import type { FleetCounts, ProxyTable } from "./fleet-api.ts";
import { ContentReader, compareContents, type Expected, type Fetch } from "./oracle-comparison.ts";
import { type Differences, some } from "./oracle-differences.ts";
import type { Expectation } from "./oracle-expectation.ts";
import { TYPE_URL } from "./oracle-names.ts";

/** What was compared, and what differs. */
export interface OracleReport {
  readonly isPassed: boolean;
  /** Whether it is known what proxies should have: not without the folder that the control plane reads. */
  readonly isExpectationKnown: boolean;
  /** Well ones, whose tables were compared. */
  readonly proxies: number;
  /** Different resources whose content was read. */
  readonly resources: number;
  /** Proxies whose table was compared with that of a fresh client of the same pod. */
  readonly fresh: number;
  /** Responses that proxies refused; where a run passed, as its scenario has them do. */
  readonly refused: number;
  /** Sentences; as many as a person reads. */
  readonly differences: readonly string[];
}

/**
 * Compares each table with what is expected of its proxy: names of every type, addresses and ports of every endpoint
 * resource, and what clusters, listeners and routes say, but for what `oracle-lines.ts` leaves out. Gives how many
 * different resources were read. What proxies have in common is told of the first of them.
 */
export async function compareTables(
  tables: readonly ProxyTable[],
  expected: ReadonlyMap<number, Expected>,
  fetch: Fetch,
  differences: Differences,
): Promise<number> {
  const contents = new ContentReader(fetch, differences);
  const seen = new Map<Expectation, Set<string>>();
  const missing = new Set(expected.keys());
  for (const table of tables) {
    const own = expected.get(table.id);
    if (own === undefined) continue;
    missing.delete(table.id);
    // Equal tables of proxies of whom the same is expected are compared once.
    const digest = Object.values(TYPE_URL)
      .map((typeUrl) => digestOf(table, typeUrl))
      .join(" ");
    const known = seen.get(own.expectation) ?? new Set();
    seen.set(own.expectation, known);
    if (known.has(digest)) continue;
    known.add(digest);
    compareNames(table, own, differences);
    await compareContents(table, own, contents, differences);
  }
  for (const id of missing) differences.add(`${expected.get(id)?.name}: has no table`);
  return contents.size;
}

/** Secrets are each proxy's own: their names alone are compared. */
function digestOf({ types }: ProxyTable, typeUrl: string): string | undefined {
  const type = types[typeUrl];
  return typeUrl === TYPE_URL.secret ? [...(type?.names.keys() ?? [])].join("\0") : type?.digest;
}

function compareNames(table: ProxyTable, { name, expectation }: Expected, differences: Differences): void {
  for (const [typeUrl, wanted] of Object.entries(expectation.names)) {
    const actual = table.types[typeUrl]?.names ?? new Map();
    const absent = wanted.filter((each) => !actual.has(each));
    const type = shortName(typeUrl);
    if (absent.length > 0) differences.add(`${name}: has no ${type} ${some(absent)}`);
    if (actual.size === wanted.length && absent.length === 0) continue;
    const known = new Set(wanted);
    const extra = [...actual.keys()].filter((each) => !known.has(each));
    if (extra.length > 0) differences.add(`${name}: has ${type} that it should not have: ${some(extra)}`);
  }
}

/**
 * Compares tables that grew by changes with tables of the same proxies after a cold start: both have to say the same. The
 * leaf certificates of two streams may differ.
 */
export function compareFresh(
  grown: readonly ProxyTable[],
  fresh: readonly ProxyTable[],
  nameOf: (id: number) => string,
  differences: Differences,
): void {
  const before = new Map(grown.map((table) => [table.id, table]));
  for (const table of fresh) {
    for (const typeUrl of Object.values(TYPE_URL)) {
      const left = before.get(table.id)?.types[typeUrl];
      const right = table.types[typeUrl];
      if (typeUrl === TYPE_URL.secret || left?.digest === right?.digest) continue;
      const names = new Set([...(left?.names.keys() ?? []), ...(right?.names.keys() ?? [])]);
      const other = [...names].filter((name) => left?.names.get(name) !== right?.names.get(name));
      differences.add(
        `${nameOf(table.id)}: a fresh client of this pod has other ${shortName(typeUrl)}: ${some(other)}`,
      );
    }
  }
}

/** What no server may do, whatever happens. `mayRefuse`: proxies of this run refuse on purpose. */
export function compareCounts(counts: FleetCounts, mayRefuse: boolean, differences: Differences): void {
  const none = (count: number, what: string) => {
    if (count > 0) differences.add(`${count} ${what}`);
  };
  if (!mayRefuse) none(counts.nacks, "responses were refused");
  none(counts.repeated, "resources were sent again with equal content");
  none(counts.unrequested, "resources were sent that nobody had asked for");
  none(counts.routesBeforeClusters, "routes came before a cluster that they name");
  none(counts.listenersBeforeClusters, "listeners came before a cluster that they name");
}

/** Of a phase: see `PhaseReport`. */
interface Patience {
  readonly name: string;
  readonly warmingTimeouts: number;
  readonly isBoundByClient: boolean;
  readonly isMachineBusy: boolean;
}

/**
 * Phases in which the server let proxies wait for longer than an Envoy does (15 s), though neither the clients nor the
 * machine were at their end: then it was the server.
 */
export function comparePatience(reports: readonly Patience[], differences: Differences): void {
  for (const { name, warmingTimeouts, isBoundByClient, isMachineBusy } of reports) {
    if (warmingTimeouts === 0 || isBoundByClient || isMachineBusy) continue;
    differences.add(`${name}: ${warmingTimeouts} resources came later than an Envoy waits for them (15 s)`);
  }
}

/** Kinds of errors that lost connections and sick proxies have; garbage and refusals are nobody's but the server's. */
const EXCUSED =
  /^(closed|reset|timeout|connect-refused|socket.*|grpc-no-status|grpc-status-\d+|rst-stream-\d+|goaway-\d+|warming-timeout)$/;

/** Errors that no trouble of the scenario's own making explains; `isTroubled`: it makes some. */
export function compareErrors(
  { errors, errorExamples }: Pick<FleetCounts, "errors" | "errorExamples">,
  isTroubled: boolean,
  differences: Differences,
): void {
  for (const [kind, count] of Object.entries(errors)) {
    // That has a rule of its own.
    if (kind === "warming-timeout" || (isTroubled && EXCUSED.test(kind))) continue;
    differences.add(`${counted(count, "error")} of kind ${kind}: ${errorExamples[kind] ?? "nothing is known of it"}`);
  }
}

function shortName(typeUrl: string): string {
  const entry = Object.entries(TYPE_URL).find(([, url]) => url === typeUrl);
  return entry?.[0] ?? typeUrl;
}
