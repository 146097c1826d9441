import { printable } from "../lib/mod.ts";
import { counted } from "./counted.ts";
import type { FleetCounts, ProxyTable } from "./fleet-api.ts";
import { addressesOf, pathsOf, peersOf, principalsOf, weightsOf } from "./oracle-content.ts";
import { type Expectation, INBOUND_ROUTE, TYPE_URL } from "./oracle-expectation.ts";

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

const DIFFERENCES_MAX = 20;
const NAMES_SHOWN = 5;
const SENTENCE_CHARACTERS_MAX = 2000;

/** Collects what differs, up to what a person reads. */
export class Differences {
  readonly found: string[] = [];
  count = 0;

  /** Sentences may hold names that a server chose, and end on somebody's terminal. */
  add(sentence: string): void {
    this.count += 1;
    if (this.found.length < DIFFERENCES_MAX) this.found.push(printable(sentence.slice(0, SENTENCE_CHARACTERS_MAX)));
  }

  /** Puts in what another one has found, after its own. */
  append(other: Differences): void {
    for (const sentence of other.found) this.add(sentence);
    this.count += other.count - other.found.length;
  }

  sentences(): readonly string[] {
    const more = this.count - this.found.length;
    return more === 0 ? this.found : [...this.found, `and ${more} more`];
  }
}

/** A proxy to be checked, and what it has to have. */
export interface Expected {
  /** How a person knows it. */
  readonly name: string;
  readonly expectation: Expectation;
}

/** Gives the bytes of a resource as a proxy has it. */
type Fetch = (proxyId: number, typeUrl: string, name: string) => Promise<Uint8Array | undefined>;

/**
 * Compares each table with what is expected of its proxy: names of every type, addresses and ports of every endpoint
 * resource, whose certificates clusters accept, where every outbound route leads and with which weights, callers and paths
 * that are let in. Gives how many different resources were read.
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
      .map((typeUrl) => (typeUrl === TYPE_URL.secret ? "" : table.types[typeUrl]?.digest))
      .join(" ");
    const known = seen.get(own.expectation) ?? new Set();
    seen.set(own.expectation, known);
    compareNames(table, own, differences);
    if (known.has(digest)) continue;
    known.add(digest);
    await compareContents(table, own, contents, differences);
  }
  for (const id of missing) differences.add(`${expected.get(id)?.name}: has no table`);
  return contents.size;
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

async function compareContents(
  table: ProxyTable,
  { name, expectation }: Expected,
  contents: ContentReader,
  differences: Differences,
): Promise<void> {
  for (const [cluster, wanted] of expectation.endpoints) {
    const actual = await contents.read(table, TYPE_URL.endpoints, cluster, addressesOf);
    if (actual === undefined || sameList(actual, wanted)) continue;
    const absent = wanted.filter((each) => !actual.includes(each));
    const extra = actual.filter((each) => !wanted.includes(each));
    differences.add(`${name}: endpoints of ${cluster}: missing ${some(absent)}, too many ${some(extra)}`);
  }
  for (const [cluster, wanted] of expectation.peers) {
    const actual = await contents.read(table, TYPE_URL.cluster, cluster, peersOf);
    if (actual === undefined || sameList(actual, wanted)) continue;
    differences.add(`${name}: cluster ${cluster} trusts ${some(actual)} instead of ${some(wanted)}`);
  }
  for (const [route, wanted] of expectation.weights) {
    const actual = await contents.read(table, TYPE_URL.route, route, weightsOf);
    if (actual === undefined) continue;
    const isSame =
      actual.size === wanted.size && [...wanted].every(([cluster, weight]) => actual.get(cluster) === weight);
    if (!isSame)
      differences.add(`${name}: weights of ${route}: ${shownWeights(actual)} instead of ${shownWeights(wanted)}`);
  }
  const rules = (bytes: Uint8Array) => ({ callers: principalsOf(bytes), paths: pathsOf(bytes) });
  const actual = await contents.read(table, TYPE_URL.route, INBOUND_ROUTE, rules);
  if (actual === undefined) return;
  const { principals, paths } = expectation;
  if (!sameRule(actual.callers, principals))
    differences.add(
      `${name}: lets in ${shownRule(actual.callers, "everybody")} instead of ${shownRule(principals, "everybody")}`,
    );
  if (!sameRule(actual.paths, paths))
    differences.add(`${name}: takes ${shownRule(actual.paths, "any path")} instead of ${shownRule(paths, "any path")}`);
}

/** Reads each different content of a resource once. */
class ContentReader {
  readonly #fetch: Fetch;
  readonly #differences: Differences;
  readonly #known = new Map<string, unknown>();

  constructor(fetch: Fetch, differences: Differences) {
    this.#fetch = fetch;
    this.#differences = differences;
  }

  get size(): number {
    return this.#known.size;
  }

  async read<T>(
    table: ProxyTable,
    typeUrl: string,
    name: string,
    decode: (bytes: Uint8Array) => T,
  ): Promise<T | undefined> {
    const hash = table.types[typeUrl]?.names.get(name);
    if (hash === undefined) return undefined;
    const key = `${typeUrl} ${name} ${hash}`;
    if (this.#known.has(key)) return this.#known.get(key) as T;
    const bytes = await this.#fetch(table.id, typeUrl, name);
    // Nothing to compare must not count as equal.
    if (bytes === undefined) this.#differences.add(`proxy ${table.id}: ${typeUrl} "${name}" was gone when it was read`);
    const content = bytes === undefined ? undefined : this.#decoded(bytes, decode, `${typeUrl} "${name}"`);
    this.#known.set(key, content);
    return content;
  }

  #decoded<T>(bytes: Uint8Array, decode: (bytes: Uint8Array) => T, what: string): T | undefined {
    try {
      return decode(bytes);
    } catch (error) {
      this.#differences.add(`${what} is no protobuf of its type: ${(error as Error).message}`);
      return undefined;
    }
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

function sameList(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((each, place) => each === right[place]);
}

function some(names: readonly string[]): string {
  if (names.length === 0) return "none";
  const more = names.length - NAMES_SHOWN;
  return names.slice(0, NAMES_SHOWN).join(", ") + (more > 0 ? ` and ${more} more` : "");
}

/** Undefined: whatever there is. */
function sameRule(left: readonly string[] | undefined, right: readonly string[] | undefined): boolean {
  return left === undefined || right === undefined ? left === right : sameList(left, right);
}

function shownRule(names: readonly string[] | undefined, all: string): string {
  return names === undefined ? all : some(names);
}

function shownWeights(weights: ReadonlyMap<string, number>): string {
  return [...weights].map(([cluster, weight]) => `${cluster}=${weight}`).join(", ") || "none";
}
