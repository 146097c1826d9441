/**
 * A short way to read the request that arrives most often: a delta ACK that says nothing beside its type and its nonce.
 * Whatever else stands in a message is left to the decoder of `messages.ts`.
 */
import type { DeltaRequest } from "./protocol.ts";
import { TYPE_URLS } from "./resource.ts";

/** Tags of `DeltaDiscoveryRequest`: `node`, `type_url` and `response_nonce`, all of wire type 2 (length-delimited). */
const NODE = 0x0a;
const TYPE_URL = 0x12;
const RESPONSE_NONCE = 0x32;
/** Tag of `Node.id`. */
const NODE_ID = 0x0a;

/** Messages that are remembered, and how long they may be. */
const SLOTS = 64;
const BYTES_MAX = 256;

const NO_NAMES: readonly string[] = [];
const NO_VERSIONS: ReadonlyMap<string, string> = new Map();

/**
 * Reads plain ACKs; undefined for other messages, valid or not. ACKs of one shared response are equal for all streams, so
 * that the last few are remembered.
 */
export function plainAckReader(): (bytes: Uint8Array) => DeltaRequest | undefined {
  const remembered: ({ readonly bytes: Buffer; readonly request: DeltaRequest } | undefined)[] = [];
  for (let slot = 0; slot < SLOTS; slot++) remembered.push(undefined);
  return (bytes) => {
    const { length } = bytes;
    if (length === 0 || length > BYTES_MAX) return undefined;
    // The nonce comes last, so that the last byte tells most of what is under way apart.
    const slot = ((bytes[length - 1] ?? 0) ^ (length << 3)) & (SLOTS - 1);
    const last = remembered[slot];
    if (last !== undefined && last.bytes.equals(bytes)) return last.request;
    const request = readPlainAck(bytes);
    // A node is another one on each stream.
    if (request !== undefined && request.nodeId === "") remembered[slot] = { bytes: Buffer.from(bytes), request };
    return request;
  };
}

interface Field {
  tag: number;
  start: number;
  end: number;
}

function readPlainAck(bytes: Uint8Array): DeltaRequest | undefined {
  const message = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const field: Field = { tag: 0, start: 0, end: 0 };
  let [typeUrl, nonce, nodeId] = ["", "", ""];
  while (field.end < message.length) {
    if (!nextField(message, field, message.length)) return undefined;
    if (field.tag === TYPE_URL) typeUrl = knownTypeUrl(message, field);
    else if (field.tag === RESPONSE_NONCE) nonce = message.toString("utf8", field.start, field.end);
    else if (field.tag === NODE) {
      const id = nodeIdIn(message, field.start, field.end);
      if (id === undefined) return undefined;
      nodeId = id;
    } else return undefined;
  }
  if (typeUrl === "" || nonce === "") return undefined;
  return {
    kind: "delta-request",
    typeUrl,
    nodeId,
    nonce,
    subscribe: NO_NAMES,
    unsubscribe: NO_NAMES,
    initialVersions: NO_VERSIONS,
    error: undefined,
  };
}

/** Undefined where a node says its id not first, or twice, or holds what no node does. */
function nodeIdIn(message: Buffer, start: number, end: number): string | undefined {
  const field: Field = { tag: 0, start, end: start };
  if (!nextField(message, field, end) || field.tag !== NODE_ID) return undefined;
  const id = message.toString("utf8", field.start, field.end);
  while (field.end < end) if (!nextField(message, field, end) || field.tag === NODE_ID) return undefined;
  return id;
}

/** Moves `field` to the length-delimited field that follows it; false if none of at most 16,383 bytes does. */
function nextField(message: Buffer, field: Field, limit: number): boolean {
  let at = field.end;
  const tag = message[at++] ?? 0;
  let length = message[at++] ?? 0x80;
  if (length >= 0x80) length = (length & 0x7f) | ((message[at++] ?? 0x80) << 7);
  if ((tag & 0x87) !== 2 || length >= 0x4000 || at + length > limit) return false;
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
