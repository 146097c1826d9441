/** Versions of one name that are remembered as refused. */
const VERSIONS_MAX = 4;
/** Types about which something is remembered. There are five; a client may ask for others, on each stream for new ones. */
const TYPES_MAX = 8;
/** Names of one type about which something is remembered. */
const NAMES_MAX = 4096;
/** Characters of a client's words that are kept. */
const MESSAGE_CHARS_MAX = 1024;

/**
 * What is remembered about the responses that one proxy refused. It outlives the stream: Envoy applies the good
 * resources of a refused response but leaves them out of `initial_resource_versions` when it reconnects.
 */
export interface RefusalMemory {
  isEmpty(): boolean;
  isRefused(typeUrl: string, name: string, version: string): boolean;
  /** This version is not sent to this proxy again. */
  refuse(typeUrl: string, name: string, version: string): void;
  /** One of several versions that were refused together; which one was bad is not known. */
  suspect(typeUrl: string, name: string, version: string): void;
  /** Names and versions under suspicion, to be tried one by one on a new stream; they are no longer suspected. */
  takeSuspects(typeUrl: string): Iterable<readonly [name: string, version: string]>;
  /** The proxy may or may not hold what the refused response said about this name. */
  markUncertain(typeUrl: string, name: string): void;
  isUncertain(typeUrl: string, name: string): boolean;
  uncertainNames(typeUrl: string): Iterable<string>;
  /** The proxy has acknowledged something about this name. */
  markCertain(typeUrl: string, name: string): void;
  /** A new process gets another chance with what its predecessor refused. */
  forgetRefused(): void;
}

/** Creates an empty memory. It holds a bounded number of names and drops the oldest. */
export function refusalMemory(): RefusalMemory {
  return new Memory();
}

/** Most proxies never refuse anything: a memory takes next to nothing until its proxy does. */
class Memory implements RefusalMemory {
  #refused: Map<string, Map<string, readonly string[]>> | undefined;
  #suspected: Map<string, Map<string, readonly string[]>> | undefined;
  #uncertain: Map<string, Set<string>> | undefined;

  isEmpty(): boolean {
    return !this.#refused?.size && !this.#suspected?.size && !this.#uncertain?.size;
  }

  isRefused(typeUrl: string, name: string, version: string): boolean {
    if (this.#suspected?.get(typeUrl)?.get(name)?.includes(version)) return true;
    return this.#refused?.get(typeUrl)?.get(name)?.includes(version) ?? false;
  }

  refuse(typeUrl: string, name: string, version: string): void {
    this.#refused ??= new Map();
    remember(this.#refused, typeUrl, name, version);
  }

  suspect(typeUrl: string, name: string, version: string): void {
    this.#suspected ??= new Map();
    remember(this.#suspected, typeUrl, name, version);
  }

  *takeSuspects(typeUrl: string): Iterable<readonly [name: string, version: string]> {
    const suspects = this.#suspected?.get(typeUrl) ?? [];
    this.#suspected?.delete(typeUrl);
    for (const [name, versions] of suspects) for (const version of versions) yield [name, version];
  }

  markUncertain(typeUrl: string, name: string): void {
    this.#uncertain ??= new Map();
    const names = this.#uncertain.get(typeUrl) ?? new Set<string>();
    this.#uncertain.set(typeUrl, names);
    dropOldest(this.#uncertain, TYPES_MAX);
    names.add(name);
    dropOldest(names, NAMES_MAX);
  }

  isUncertain(typeUrl: string, name: string): boolean {
    return this.#uncertain?.get(typeUrl)?.has(name) ?? false;
  }

  uncertainNames(typeUrl: string): Iterable<string> {
    return this.#uncertain?.get(typeUrl) ?? [];
  }

  markCertain(typeUrl: string, name: string): void {
    const names = this.#uncertain?.get(typeUrl);
    if (names?.delete(name) && names.size === 0) this.#uncertain?.delete(typeUrl);
  }

  forgetRefused(): void {
    this.#refused = undefined;
    this.#suspected = undefined;
  }
}

/**
 * Which of `names` the words of a refusal point at, e.g. Envoy's "Error adding/updating cluster(s) default/shop|80:
 * ...". A name counts when it stands as a word of its own.
 */
export function namesIn(message: string, names: readonly string[]): readonly string[] {
  return names.filter((name) => {
    if (name === "") return false;
    for (let at = message.indexOf(name); at >= 0; at = message.indexOf(name, at + 1)) {
      const isStart = at === 0 || /[\s"'`(,[]/.test(message.charAt(at - 1));
      if (isStart && /^(?:$|[\s"'`),\]]|[:;.](?:\s|$))/.test(message.slice(at + name.length, at + name.length + 2))) {
        return true;
      }
    }
    return false;
  });
}

/** A client's words, short enough for a log line and without characters that could forge one. */
export function boundedMessage(message: string): string {
  return message.slice(0, MESSAGE_CHARS_MAX).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, " ");
}

function remember(
  memory: Map<string, Map<string, readonly string[]>>,
  typeUrl: string,
  name: string,
  version: string,
): void {
  const byName = memory.get(typeUrl) ?? new Map<string, readonly string[]>();
  memory.set(typeUrl, byName);
  const versions = (byName.get(name) ?? []).filter((other) => other !== version);
  byName.delete(name);
  byName.set(name, [...versions, version].slice(-VERSIONS_MAX));
  dropOldest(byName, NAMES_MAX);
}

function dropOldest(entries: Map<string, unknown> | Set<string>, max: number): void {
  if (entries.size <= max) return;
  const oldest = entries.keys().next().value;
  if (oldest !== undefined) entries.delete(oldest);
}
