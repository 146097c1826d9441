/**
 * A short way to read delta requests as clients write them: acknowledgements, and the first requests of a type, which name
 * hundreds of resources and stand behind a node of up to 100 kB. Whatever else a message holds, or how else it is written,
 * is left to the decoder of `messages.ts`.
 */
import { isAscii } from "node:buffer";
import { ListedClaims } from "./listed-claims.ts";
import type { DeltaRequest } from "./protocol.ts";
import { TYPE_URLS } from "./resource.ts";

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
  return (bytes) => {
    const { length } = bytes;
    if (length === 0) return undefined;
    if (length > BYTES_MAX) return readDeltaRequest(bytes);
    // The nonce comes last, so that the last byte tells most of what is under way apart.
    const slot = ((bytes[length - 1] ?? 0) ^ (length << 3)) & (SLOTS - 1);
    const last = remembered[slot];
    if (last?.bytes.equals(bytes)) return last.request;
    const request = readDeltaRequest(bytes);
    if (request !== undefined && isShareable(request)) remembered[slot] = { bytes: ownCopy(bytes), request };
    return request;
  };
}

/** Not in memory that Node shares out: a few bytes of it would keep 64 KiB alive, here in each slot. */
function ownCopy(bytes: Uint8Array): Buffer {
  const copy = Buffer.alloc(bytes.length);
  copy.set(bytes);
  return copy;
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

function readDeltaRequest(bytes: Uint8Array): DeltaRequest | undefined {
  const message = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const field: Field = { tag: 0, start: 0, end: 0 };
  let [typeUrl, nonce, nodeId] = ["", "", ""];
  let subscribe: string[] | undefined;
  let unsubscribe: string[] | undefined;
  let versions: ListedClaims | undefined;
  let cut: Text | undefined;
  const text: Text = (start, end) => {
    cut ??= textFrom(message, start);
    return cut(start, end);
  };
  while (field.end < message.length) {
    if (!nextField(message, field, message.length)) return undefined;
    if (field.tag === INITIAL_VERSION) {
      versions ??= new ListedClaims();
      if (!addVersion(message, field, text, versions)) return undefined;
    } else if (field.tag === SUBSCRIBE) {
      const name = text(field.start, field.end);
      if (name === undefined) return undefined;
      if (subscribe === undefined) subscribe = [name];
      else subscribe.push(name);
    } else if (field.tag === TYPE_URL) typeUrl = knownTypeUrl(message, field);
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
  return {
    kind: "delta-request",
    typeUrl,
    nodeId,
    nonce,
    subscribe: subscribe ?? NO_NAMES,
    unsubscribe: unsubscribe ?? NO_NAMES,
    initialVersions: versions ?? NO_VERSIONS,
    error: undefined,
  };
}

/** Text between two places of a message; undefined where it is no UTF-8. */
type Text = (start: number, end: number) => string | undefined;

/**
 * Names and versions are nearly always ASCII: then what follows `from` becomes one string, of which all of them are cut. It
 * lives as long as any of them, so that only what is looked up and dropped may be read in this way.
 */
function textFrom(message: Buffer, from: number): Text {
  if (!isAscii(message.subarray(from))) return (start, end) => ownText(message, start, end);
  const whole = message.toString("latin1", from);
  return (start, end) => whole.slice(start - from, end - from);
}

function ownText(message: Buffer, start: number, end: number): string | undefined {
  const text = message.toString("utf8", start, end);
  return text.includes(REPLACEMENT) ? undefined : text;
}

/** False for an entry that is not a key followed by a value. */
function addVersion(message: Buffer, field: Field, text: Text, versions: ListedClaims): boolean {
  const { end } = field;
  field.end = field.start;
  const name = nextField(message, field, end, ENTRY_KEY) ? text(field.start, field.end) : undefined;
  const version = nextField(message, field, end, ENTRY_VALUE) ? text(field.start, field.end) : undefined;
  if (field.end !== end || name === undefined || version === undefined) return false;
  versions.add(name, version);
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
