/** Compares what resources say with what is expected of them. */
import type { ProxyTable } from "./fleet-api.ts";
import { addressesOf, pathsOf, peersOf, principalsOf, weightsOf } from "./oracle-content.ts";
import { type Differences, some } from "./oracle-differences.ts";
import type { Expectation } from "./oracle-expectation.ts";
import { linesOf } from "./oracle-lines.ts";
import { TYPE_URL } from "./oracle-names.ts";

/** A proxy to be checked, and what it has to have. */
export interface Expected {
  /** How a person knows it. */
  readonly name: string;
  readonly expectation: Expectation;
}

/** Gives the bytes of a resource as a proxy has it. */
export type Fetch = (proxyId: number, typeUrl: string, name: string) => Promise<Uint8Array | undefined>;

/** One table's resources; what was compared before is not compared again. */
export async function compareContents(
  table: ProxyTable,
  { name, expectation }: Expected,
  contents: ContentReader,
  differences: Differences,
): Promise<void> {
  for (const [cluster, wanted] of expectation.endpoints) {
    if (contents.isCompared(table, TYPE_URL.endpoints, cluster, wanted)) continue;
    const actual = await contents.read(table, TYPE_URL.endpoints, cluster, addressesOf);
    if (actual === undefined || sameList(actual, wanted)) continue;
    const { absent, extra } = difference(actual, wanted);
    differences.add(`${name}: endpoints of ${cluster}: missing ${some(absent)}, too many ${some(extra)}`);
  }
  for (const { typeUrl, lines } of expectation.contents) {
    for (const [resource, wanted] of lines) {
      if (contents.isCompared(table, typeUrl, resource, wanted)) continue;
      const compare = (bytes: Uint8Array) =>
        mainDifference(expectation, { typeUrl, resource, bytes }) ??
        lineDifference(resource, linesOf(typeUrl, bytes), wanted);
      const found = await contents.read(table, typeUrl, resource, compare);
      if (found !== undefined && found !== "") differences.add(`${name}: ${found}`);
    }
  }
}

interface Content {
  readonly typeUrl: string;
  readonly resource: string;
  readonly bytes: Uint8Array;
}

/** What matters most, in words of its own: trusted peers, weights, callers, paths; undefined where it is right. */
function mainDifference(expectation: Expectation, { typeUrl, resource, bytes }: Content): string | undefined {
  if (typeUrl === TYPE_URL.cluster) {
    const wanted = expectation.peers.get(resource);
    const actual = wanted === undefined ? [] : peersOf(bytes);
    if (wanted === undefined || sameList(actual, wanted)) return undefined;
    return `cluster ${resource} trusts ${some(actual)} instead of ${some(wanted)}`;
  }
  if (typeUrl !== TYPE_URL.route) return undefined;
  const weights = expectation.weights.get(resource);
  if (weights !== undefined) {
    const actual = weightsOf(bytes);
    const isSame =
      actual.size === weights.size && [...weights].every(([cluster, weight]) => actual.get(cluster) === weight);
    return isSame ? undefined : `weights of ${resource}: ${shownWeights(actual)} instead of ${shownWeights(weights)}`;
  }
  const { principals, paths } = expectation;
  const callers = principalsOf(bytes);
  if (!sameRule(callers, principals))
    return `lets in ${shownRule(callers, "everybody")} instead of ${shownRule(principals, "everybody")}`;
  const taken = pathsOf(bytes);
  if (sameRule(taken, paths)) return undefined;
  return `takes ${shownRule(taken, "any path")} instead of ${shownRule(paths, "any path")}`;
}

/** Empty where there is none. */
function lineDifference(resource: string, actual: readonly string[], wanted: readonly string[]): string {
  if (sameList(actual, wanted)) return "";
  const { absent, extra } = difference(actual, wanted);
  return `${resource}: missing ${some(absent)}; not expected ${some(extra)}`;
}

/** What one of two lists in ascending order has more often than the other. */
function difference(actual: readonly string[], wanted: readonly string[]): { absent: string[]; extra: string[] } {
  const absent: string[] = [];
  const extra: string[] = [];
  for (let left = 0, right = 0; left < actual.length || right < wanted.length; ) {
    const [one, other] = [actual[left], wanted[right]];
    if (one !== undefined && (other === undefined || one < other)) {
      extra.push(one);
      left += 1;
    } else if (other !== undefined && one !== other) {
      absent.push(other);
      right += 1;
    } else {
      left += 1;
      right += 1;
    }
  }
  return { absent, extra };
}

/** Reads contents; what is expected of a thousand proxies is compared with what a thousand have once. */
export class ContentReader {
  readonly #fetch: Fetch;
  readonly #differences: Differences;
  readonly #read = new Set<string>();
  readonly #compared = new WeakMap<object, Set<string>>();

  constructor(fetch: Fetch, differences: Differences) {
    this.#fetch = fetch;
    this.#differences = differences;
  }

  /** Different resources that were read. */
  get size(): number {
    return this.#read.size;
  }

  /** Whether what the table has by this name was compared with `wanted` before, or is not there; from now on it was. */
  isCompared(table: ProxyTable, typeUrl: string, name: string, wanted: object): boolean {
    const hash = table.types[typeUrl]?.names.get(name);
    if (hash === undefined) return true;
    let hashes = this.#compared.get(wanted);
    if (hashes === undefined) {
      hashes = new Set();
      this.#compared.set(wanted, hashes);
    }
    if (hashes.has(hash)) return true;
    hashes.add(hash);
    return false;
  }

  /** Undefined where it cannot be read, which is told. */
  async read<T>(
    table: ProxyTable,
    typeUrl: string,
    name: string,
    decode: (bytes: Uint8Array) => T,
  ): Promise<T | undefined> {
    this.#read.add(`${typeUrl} ${name} ${table.types[typeUrl]?.names.get(name)}`);
    const bytes = await this.#fetch(table.id, typeUrl, name);
    if (bytes === undefined) {
      // Nothing to compare must not count as equal.
      this.#differences.add(`proxy ${table.id}: ${typeUrl} "${name}" was gone when it was read`);
      return undefined;
    }
    try {
      return decode(bytes);
    } catch (error) {
      this.#differences.add(`${typeUrl} "${name}" is no protobuf of its type: ${(error as Error).message}`);
      return undefined;
    }
  }
}

function sameList(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((each, place) => each === right[place]);
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
