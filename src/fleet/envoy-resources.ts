import { createHash } from "node:crypto";
import { ownCopy } from "../lib/mod.ts";
import {
  EnvelopeError,
  findNonce,
  type NonceRange,
  type Protocol,
  type RawResource,
  type RawResponse,
  readDeltaResponse,
  readSotwResponse,
} from "./envoy-discovery.ts";
import {
  clusterReferences,
  endpointReferences,
  listenerReferences,
  type References,
  routeReferences,
  secretReferences,
} from "./envoy-references.ts";
import { missingNames, type Resource, type ResourceTable, TableMemory, WeakMemory } from "./envoy-table.ts";
import { CLUSTER, ENDPOINTS, LISTENER, ROUTE, SECRET, typeNumber } from "./envoy-types.ts";

/** Names that a proxy asks for, or asks for no more, since what it has refers to them. */
export interface NameDifference {
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

/** What a response does to a proxy that has a certain table: equal for all that have it. */
export class Transition {
  readonly before: ResourceTable;
  readonly table: ResourceTable;
  /** New or with other content. */
  readonly changed: readonly Resource[];
  /** Names of resources that came again with the content that they had. */
  readonly repeated: readonly string[];
  /** What the proxy had and has no more. */
  readonly removed: readonly Resource[];
  #endpoints: NameDifference | undefined;
  #routes: NameDifference | undefined;
  /** The request that follows from it, once somebody had to write it. */
  request: readonly Buffer[] | undefined;

  constructor(
    before: ResourceTable,
    table: ResourceTable,
    changes: Pick<Transition, "changed" | "repeated" | "removed">,
  ) {
    this.before = before;
    this.table = table;
    this.changed = changes.changed;
    this.repeated = changes.repeated;
    this.removed = changes.removed;
  }

  get endpoints(): NameDifference {
    this.#endpoints ??= difference(this.before.references.endpoints, this.table.references.endpoints);
    return this.#endpoints;
  }

  get routes(): NameDifference {
    this.#routes ??= difference(this.before.references.routes, this.table.references.routes);
    return this.#routes;
  }
}

export function difference(before: ReadonlySet<string>, after: ReadonlySet<string>): NameDifference {
  return before === after
    ? { added: [], removed: [] }
    : { added: missingNames(after, before), removed: missingNames(before, after) };
}

/** A response, read once for all proxies that get the same. */
export class ReadResponse {
  readonly protocol: Protocol;
  /** Undefined: not a type of a sidecar. */
  readonly type: number | undefined;
  readonly typeUrl: string;
  readonly version: string;
  readonly resources: readonly Resource[];
  readonly removed: readonly string[];
  /** Why an Envoy refuses it. */
  readonly problem: string | undefined;
  /** The ACK that was written last, with its nonce: with one nonce for all streams it is the same for all. */
  ack: { readonly nonce: string; readonly frame: Buffer } | undefined;
  readonly #transitions = new Map<ResourceTable, Transition>();

  constructor(protocol: Protocol, raw: RawResponse, resources: readonly Resource[]) {
    this.protocol = protocol;
    this.type = typeNumber(raw.typeUrl);
    this.typeUrl = raw.typeUrl;
    this.version = raw.version;
    this.resources = resources;
    this.removed = raw.removed;
    this.problem = raw.problem;
  }

  /** Whether it names all that there is of its type: what it does not name is gone. */
  get isWhole(): boolean {
    return this.protocol === "sotw" && (this.type === CLUSTER || this.type === LISTENER);
  }

  /** What becomes of a table. */
  applied(table: ResourceTable, tables: TableMemory): Transition {
    const known = this.#transitions.get(table);
    if (known !== undefined) return known;
    const made = this.#apply(table, tables);
    // Proxies with tables of their own would fill this; then nothing is shared anyway.
    if (this.#transitions.size >= TRANSITIONS_MAX) this.#transitions.clear();
    this.#transitions.set(table, made);
    return made;
  }

  #apply(table: ResourceTable, tables: TableMemory): Transition {
    const changes = new Map<string, Resource | undefined>();
    const changed: Resource[] = [];
    const repeated: string[] = [];
    for (const resource of this.resources) {
      const before = table.resources.get(resource.name);
      if (before?.hash !== resource.hash) changed.push(resource);
      else repeated.push(resource.name);
      if (before?.version !== resource.version || before.hash !== resource.hash) changes.set(resource.name, resource);
    }
    const removed: Resource[] = [];
    for (const name of this.removed) {
      const before = table.resources.get(name);
      changes.set(name, undefined);
      if (before !== undefined) removed.push(before);
    }
    if (this.isWhole) {
      const named = new Set(this.resources.map(({ name }) => name));
      for (const before of table.resources.values()) {
        if (named.has(before.name)) continue;
        removed.push(before);
        changes.set(before.name, undefined);
      }
    }
    const after = changes.size === 0 ? table : tables.changed(table, changes);
    return new Transition(table, after, { changed, repeated, removed });
  }
}

const TRANSITIONS_MAX = 256;
const RESPONSES_MAX = 1024;
const RESPONSE_BYTES_MAX = 32 * 1024 * 1024;

interface KeptResponse {
  /** With the nonce that it had last. */
  readonly bytes: Buffer;
  readonly nonce: NonceRange;
  nonceText: string;
  readonly response: ReadResponse;
}

/** Responses and resources, so that what thousands are sent is read once. Bounded; nothing depends on a hit. */
export class ResourceMemory {
  readonly tables = new TableMemory();
  readonly #nonce: NonceRange = { start: 0, end: 0, textStart: 0 };
  readonly #responses = new Map<string, KeptResponse>();
  #responseBytes = 0;
  /** Of those, by length, the one that came last: what the next proxy gets is mostly the same to the last byte. */
  readonly #latest = new Map<number, KeptResponse>();
  readonly #resources = new WeakMemory<Resource>();

  /** The nonce of the response that was read last. */
  nonce = "";

  /** Throws `EnvelopeError` for what is no response. The bytes are the caller's again afterwards. */
  read(protocol: Protocol, bytes: Buffer): ReadResponse {
    const latest = this.#latest.get(bytes.length);
    if (latest?.response.protocol === protocol && latest.bytes.equals(bytes)) {
      this.nonce = latest.nonceText;
      return latest.response;
    }
    const range = this.#nonce;
    findNonce(bytes, range);
    this.nonce = bytes.toString("utf8", range.textStart, range.end);
    const key = fingerprint(protocol, bytes, range);
    const known = this.#responses.get(key);
    if (known !== undefined && isEqual(known, bytes, range)) {
      this.#responses.delete(key);
      this.#responses.set(key, known);
      if (known.bytes.length === bytes.length) {
        bytes.copy(known.bytes, range.start, range.start, range.end);
        known.nonceText = this.nonce;
        this.#latest.set(bytes.length, known);
      }
      return known.response;
    }
    const kept = ownCopy(bytes);
    const raw = protocol === "delta" ? readDeltaResponse(kept) : readSotwResponse(kept);
    const response = this.#look(protocol, raw);
    // Secrets are one proxy's own: they would push out what others get as well.
    if (response.type !== SECRET)
      this.#keep(key, { bytes: kept, nonce: { ...range }, nonceText: this.nonce, response });
    return response;
  }

  /** Into the resources; of what is of another type, or is no resource, Envoy refuses all. */
  #look(protocol: Protocol, raw: RawResponse): ReadResponse {
    if (raw.problem !== undefined) return new ReadResponse(protocol, raw, []);
    try {
      const type = typeNumber(raw.typeUrl) ?? -1;
      const resources = raw.resources.map((each) => this.#intern(type, each));
      return new ReadResponse(protocol, raw, resources);
    } catch (error) {
      if (!(error instanceof EnvelopeError)) throw error;
      return new ReadResponse(protocol, { ...raw, problem: error.message }, []);
    }
  }

  #keep(key: string, kept: KeptResponse): void {
    const before = this.#responses.get(key);
    if (before !== undefined) this.#drop(key, before);
    this.#responses.set(key, kept);
    this.#latest.set(kept.bytes.length, kept);
    this.#responseBytes += kept.bytes.length;
    for (const [each, old] of this.#responses) {
      if (this.#responses.size <= RESPONSES_MAX && this.#responseBytes <= RESPONSE_BYTES_MAX) return;
      this.#drop(each, old);
    }
  }

  #drop(key: string, kept: KeptResponse): void {
    this.#responses.delete(key);
    this.#responseBytes -= kept.bytes.length;
    if (this.#latest.get(kept.bytes.length) === kept) this.#latest.delete(kept.bytes.length);
  }

  #intern(type: number, { name, version, value }: RawResource): Resource {
    const hash = createHash("sha256").update(value).digest("hex").slice(0, 32);
    const key = `${type} ${hash} ${version} ${name}`;
    const known = this.#resources.get(key);
    if (known !== undefined) return known;
    const mark = createHash("sha256").update(key).digest();
    const bytes = ownCopy(value);
    const resource: Resource = {
      type,
      name,
      version,
      bytes,
      hash,
      markHigh: mark.readInt32LE(0),
      markLow: mark.readInt32LE(4),
      references: referencesOf(type, bytes, name),
    };
    this.#resources.set(key, resource);
    return resource;
  }
}

function referencesOf(type: number, bytes: Buffer, name: string): References {
  try {
    if (type === CLUSTER) return clusterReferences(bytes);
    if (type === LISTENER) return listenerReferences(bytes);
    if (type === ROUTE) return routeReferences(bytes);
    if (type === ENDPOINTS) return endpointReferences(bytes);
    if (type === SECRET) return secretReferences(bytes);
    return NO_REFERENCES;
  } catch (error) {
    throw new EnvelopeError(`resource "${name}" is not what its type says: ${(error as Error).message}`);
  }
}

const NO_REFERENCES: References = { endpoints: [], secrets: [], routes: [], clusters: [] };

/** Tells most responses apart at a glance; whether they are equal is looked at then. */
function fingerprint(protocol: Protocol, bytes: Buffer, { start, end }: NonceRange): string {
  const length = bytes.length - (end - start);
  const gap = end - start;
  let mix = length;
  // Both ends whole, where versions lie, and samples of what is between.
  const step = Math.max(1, length >> 6);
  for (let at = 0; at < length; at += at < EDGE_BYTES || at >= length - EDGE_BYTES ? 1 : step) {
    mix = (Math.imul(mix, 31) + (bytes[at < start ? at : at + gap] ?? 0)) | 0;
  }
  return `${protocol} ${length} ${mix}`;
}

const EDGE_BYTES = 48;

function isEqual(known: KeptResponse, bytes: Buffer, range: NonceRange): boolean {
  const { start, end } = known.nonce;
  return (
    start === range.start &&
    known.bytes.length - end === bytes.length - range.end &&
    known.bytes.compare(bytes, 0, start, 0, start) === 0 &&
    // Not `compare`, as above: Deno refuses an offset into the longer of two buffers that lies beyond the shorter one's end.
    known.bytes.subarray(end).equals(bytes.subarray(range.end))
  );
}
