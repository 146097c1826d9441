/**
 * A short way to read delta requests as clients write them: acknowledgements, and the first requests of a type, which name
 * hundreds of resources and stand behind a node of up to 100 kB. Whatever else a message holds, or how else it is written,
 * is left to the decoder of `messages.ts`.
 */
import { isAscii, isUtf8 } from "node:buffer";
import { ownCopy } from "../../lib/mod.ts";
import type { DeltaRequest } from "../protocol/protocol.ts";
import { WireClaims } from "../protocol/wire-claims.ts";
import { WireNames } from "../protocol/wire-names.ts";
import { TYPE_URLS } from "../resource.ts";

/** Tags of `DeltaDiscoveryRequest`, all of wire type 2 (length-delimited). */
const NODE = 0x0a;
const TYPE_URL = 0x12;
const SUBSCRIBE = 0x1a;
const UNSUBSCRIBE = 0x22;
const INITIAL_VERSION = 0x2a;
const RESPONSE_NONCE = 0x32;
/** Tag of `Node.id`. */
const NODE_ID = 0x0a;
/** Tags of an entry of `initial_resource_versions`. */
const ENTRY_KEY = 0x0a;
const ENTRY_VALUE = 0x12;

/** ACKs that are remembered, and how long they may be. */
const SLOTS = 64;
const BYTES_MAX = 256;

const NO_NAMES: readonly string[] = [];
const NO_PLACES: readonly number[] = [];
const NO_VERSIONS: ReadonlyMap<string, string> = new Map();
/** What stands for bytes that are no UTF-8. */
const REPLACEMENT = "\ufffd";

/**
 * Reads requests; undefined for those that are left to the decoder, valid or not. ACKs of one shared response are equal
 * for all streams, so that the last few are remembered.
 */
export function deltaRequestReader(): (bytes: Uint8Array) => DeltaRequest | undefined {
  const remembered: ({ readonly bytes: Buffer; readonly request: DeltaRequest } | undefined)[] = [];
  for (let slot = 0; slot < SLOTS; slot++) remembered.push(undefined);
  const places: Places = { names: new PlaceList(), claims: new PlaceList() };
  return (bytes) => {
    const { length } = bytes;
    if (length === 0) return undefined;
    if (length > BYTES_MAX) return readDeltaRequest(bytes, places);
    // The nonce comes last, so that the last byte tells most of what is under way apart.
    const slot = ((bytes[length - 1] ?? 0) ^ (length << 3)) & (SLOTS - 1);
    const last = remembered[slot];
    if (last?.bytes.equals(bytes)) return last.request;
    const request = readDeltaRequest(bytes, places);
    if (request !== undefined && isShareable(request)) remembered[slot] = { bytes: ownCopy(bytes), request };
    return request;
  };
}

/** A node is another one on each stream, and names are asked for once. */
function isShareable({ nodeId, nonce, subscribe, unsubscribe, initialVersions }: DeltaRequest): boolean {
  return nodeId === "" && nonce !== "" && subscribe.length + unsubscribe.length + initialVersions.size === 0;
}

interface Field {
  tag: number;
  start: number;
  end: number;
}

/** Where texts begin and end. Used again for each request: an array that grows leaves twice its size behind. */
class PlaceList {
  readonly #numbers: number[] = [];
  #count = 0;

  clear(): void {
    this.#count = 0;
  }

  add(start: number, end: number): void {
    this.#numbers[this.#count++] = start;
    this.#numbers[this.#count++] = end;
  }

  /** A copy; undefined where there are none. */
  found(): number[] | undefined {
    return this.#count === 0 ? undefined : this.#numbers.slice(0, this.#count);
  }
}

/** Of names, and of claims' names and versions, counted from the first of them. */
interface Places {
  readonly names: PlaceList;
  readonly claims: PlaceList;
}

function readDeltaRequest(bytes: Uint8Array, places: Places): DeltaRequest | undefined {
  const message = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const field: Field = { tag: 0, start: 0, end: 0 };
  let [typeUrl, nonce, nodeId] = ["", "", ""];
  let unsubscribe: string[] | undefined;
  let from = -1;
  places.names.clear();
  places.claims.clear();
  while (field.end < message.length) {
    if (!nextField(message, field, message.length)) return undefined;
    if (from < 0 && (field.tag === INITIAL_VERSION || field.tag === SUBSCRIBE)) from = field.start;
    if (field.tag === INITIAL_VERSION) {
      if (!addClaim(message, field, from, places.claims)) return undefined;
    } else if (field.tag === SUBSCRIBE) places.names.add(field.start - from, field.end - from);
    else if (field.tag === TYPE_URL) typeUrl = knownTypeUrl(message, field);
    else if (field.tag === RESPONSE_NONCE) nonce = message.toString("utf8", field.start, field.end);
    else if (field.tag === UNSUBSCRIBE) {
      const name = ownText(message, field.start, field.end);
      if (name === undefined) return undefined;
      unsubscribe ??= [];
      unsubscribe.push(name);
    } else if (field.tag === NODE) {
      const id = nodeIdIn(message, field.start, field.end);
      if (id === undefined) return undefined;
      nodeId = id;
    } else return undefined;
  }
  if (typeUrl === "") return undefined;
  const subscribe = places.names.found();
  const claims = places.claims.found();
  const texts = from < 0 ? message : ownTexts(message.subarray(from), subscribe, claims);
  if (texts === undefined) return undefined;
  return {
    kind: "delta-request",
    typeUrl,
    nodeId,
    nonce,
    subscribe: subscribe === undefined ? NO_NAMES : new WireNames(texts, subscribe),
    unsubscribe: unsubscribe ?? NO_NAMES,
    initialVersions: claims === undefined ? NO_VERSIONS : new WireClaims(texts, claims),
    error: undefined,
  };
}

/** A copy of what names and claims stand in; undefined where one of them is no UTF-8. */
function ownTexts(
  bytes: Buffer,
  names: readonly number[] | undefined,
  claims: readonly number[] | undefined,
): Buffer | undefined {
  // Nearly always: names and versions are ASCII, and so is what stands between short ones.
  if (!isAscii(bytes) && !(isText(bytes, names ?? NO_PLACES) && isText(bytes, claims ?? NO_PLACES))) return undefined;
  return ownCopy(bytes);
}

function isText(bytes: Buffer, places: readonly number[]): boolean {
  for (let n = 0; n < places.length; n += 2) if (!isUtf8(bytes.subarray(places[n], places[n + 1]))) return false;
  return true;
}

function ownText(message: Buffer, start: number, end: number): string | undefined {
  const text = message.toString("utf8", start, end);
  return text.includes(REPLACEMENT) ? undefined : text;
}

/** Notes where a claim's name and version are, counted from `from`. False for an entry that is not a key followed by a value. */
function addClaim(message: Buffer, field: Field, from: number, places: PlaceList): boolean {
  const { end } = field;
  field.end = field.start;
  if (!nextField(message, field, end, ENTRY_KEY)) return false;
  const { start: nameStart, end: nameEnd } = field;
  if (!nextField(message, field, end, ENTRY_VALUE) || field.end !== end) return false;
  places.add(nameStart - from, nameEnd - from);
  places.add(field.start - from, field.end - from);
  return true;
}

/** Undefined where a node says its id not first, or twice, or holds what no node does. */
function nodeIdIn(message: Buffer, start: number, end: number): string | undefined {
  const field: Field = { tag: 0, start, end: start };
  if (!nextField(message, field, end, NODE_ID)) return undefined;
  const id = message.toString("utf8", field.start, field.end);
  while (field.end < end) if (!nextField(message, field, end) || field.tag === NODE_ID) return undefined;
  return id;
}

/** Moves `field` to the length-delimited field that follows it; false if none of less than 2 MiB does, or not with this tag. */
function nextField(message: Buffer, field: Field, limit: number, wanted?: number): boolean {
  let at = field.end;
  const tag = message[at++] ?? 0;
  let length = message[at++] ?? 0;
  if (length >= 0x80) {
    let more = message[at++] ?? 0x80;
    length = (length & 0x7f) | ((more & 0x7f) << 7);
    if (more >= 0x80) {
      more = message[at++] ?? 0x80;
      if (more >= 0x80) return false;
      length |= more << 14;
    }
  }
  if ((tag & 0x87) !== 2 || (wanted !== undefined && tag !== wanted) || at + length > limit) return false;
  field.tag = tag;
  field.start = at;
  field.end = at + length;
  return true;
}

const KNOWN: readonly { readonly typeUrl: string; readonly bytes: Buffer }[] = Object.values(TYPE_URLS).map(
  (typeUrl) => ({ typeUrl, bytes: Buffer.from(typeUrl) }),
);

/** The constant, so that it is compared by identity from then on; empty for other types. */
function knownTypeUrl(message: Buffer, { start, end }: Field): string {
  for (const { typeUrl, bytes } of KNOWN) {
    if (bytes.length === end - start && bytes.compare(message, start, end) === 0) return typeUrl;
  }
  return "";
}
