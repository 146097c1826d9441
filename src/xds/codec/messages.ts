/** Requests from bytes, responses to bytes. Follows envoy/service/discovery/v3/discovery.proto. */
import { envoy } from "../../../proto/gen/discovery.js";
import { invariant } from "../../lib/mod.ts";
import type { DeltaRequest, Response, SotwRequest } from "../protocol/protocol.ts";
import type { Resource } from "../resource.ts";
import { PREFIX_BYTES } from "../transport.ts";

const { DeltaDiscoveryRequest, DiscoveryRequest } = envoy.service.discovery.v3;

/** Reads a `DeltaDiscoveryRequest`. Throws on bytes that are none. */
export function decodeDeltaRequest(bytes: Uint8Array): DeltaRequest {
  const message = DeltaDiscoveryRequest.decode(bytes);
  return {
    kind: "delta-request",
    typeUrl: message.typeUrl,
    nodeId: message.node?.id ?? "",
    nonce: message.responseNonce,
    subscribe: message.resourceNamesSubscribe,
    unsubscribe: message.resourceNamesUnsubscribe,
    initialVersions: new Map(Object.entries(message.initialResourceVersions)),
    error: message.errorDetail ? (message.errorDetail.message ?? "") : undefined,
  };
}

/** Reads a `DiscoveryRequest`. Throws on bytes that are none. */
export function decodeSotwRequest(bytes: Uint8Array): SotwRequest {
  const message = DiscoveryRequest.decode(bytes);
  return {
    kind: "sotw-request",
    typeUrl: message.typeUrl,
    nodeId: message.node?.id ?? "",
    nonce: message.responseNonce,
    version: message.versionInfo,
    names: message.resourceNames,
    error: message.errorDetail ? (message.errorDetail.message ?? "") : undefined,
  };
}

/** What stands before a resource's own bytes in a delta response. */
type Prefixes = WeakMap<Resource, Buffer>;

/**
 * Creates the encoder of `DeltaDiscoveryResponse`s, with their gRPC prefix. A resource's own bytes are copied once, into the
 * response; what stands before them is made once for a resource and kept with it.
 */
export function deltaResponseEncoder(): (response: Response) => Buffer {
  const prefixes: Prefixes = new WeakMap();
  return ({ version, typeUrl, nonce, resources, removed }) => {
    let length = textLength(version) + textLength(typeUrl) + textLength(nonce);
    for (const resource of resources) length += deltaPrefix(prefixes, resource).length + resource.bytes.length;
    for (const name of removed) length += textLength(name);
    const fields = new Fields(messageOf(length), PREFIX_BYTES);
    fields.text(1, version);
    for (const resource of resources) {
      fields.bytes(deltaPrefix(prefixes, resource));
      fields.bytes(resource.bytes);
    }
    fields.text(4, typeUrl);
    fields.text(5, nonce);
    for (const name of removed) fields.text(6, name);
    return fields.whole();
  };
}

/** A `DiscoveryResponse` with its gRPC prefix. */
export function encodeSotwResponse({ version, typeUrl, nonce, resources }: Response): Buffer {
  let length = textLength(version) + textLength(typeUrl) + textLength(nonce);
  for (const resource of resources) length += lengthOf(anyLength(resource));
  const fields = new Fields(messageOf(length), PREFIX_BYTES);
  fields.text(1, version);
  for (const resource of resources) {
    fields.head(2, anyLength(resource));
    fields.anyHead(resource);
    fields.bytes(resource.bytes);
  }
  fields.text(4, typeUrl);
  fields.text(5, nonce);
  return fields.whole();
}

/** Room for a message of `length` bytes, behind its gRPC prefix. */
function messageOf(length: number): Buffer {
  // Not in Node's pool: it is kept for a while.
  const message = Buffer.allocUnsafeSlow(PREFIX_BYTES + length);
  message[0] = 0;
  message.writeUInt32BE(length, 1);
  return message;
}

/** All of a response's `Resource` entry but the resource's bytes, which come last. */
function deltaPrefix(prefixes: Prefixes, resource: Resource): Buffer {
  let prefix = prefixes.get(resource);
  if (prefix === undefined) {
    prefix = newDeltaPrefix(resource);
    prefixes.set(resource, prefix);
  }
  return prefix;
}

function newDeltaPrefix(resource: Resource): Buffer {
  const { version, name, bytes } = resource;
  const any = anyLength(resource);
  const entry = textLength(version) + textLength(name) + lengthOf(any);
  // Not in Node's pool: it lives as long as the resource.
  const fields = new Fields(Buffer.allocUnsafeSlow(lengthOf(entry) - bytes.length), 0);
  fields.head(2, entry);
  fields.text(1, version);
  fields.text(3, name);
  fields.head(2, any);
  fields.anyHead(resource);
  return fields.whole();
}

/** Bytes of the `google.protobuf.Any` with a resource. */
function anyLength({ typeUrl, bytes }: Resource): number {
  return textLength(typeUrl) + lengthOf(bytes.length);
}

/** Bytes of a field with this text. */
function textLength(text: string): number {
  return lengthOf(Buffer.byteLength(text));
}

/** Bytes of a length-delimited field with so many bytes. */
function lengthOf(length: number): number {
  let bytes = 2 + length;
  for (let rest = length; rest >= 128; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}

/** Writes fields, all length-delimited and with numbers below 16, into room that was measured for them. */
class Fields {
  readonly #buffer: Buffer;
  #at: number;

  constructor(buffer: Buffer, at: number) {
    this.#buffer = buffer;
    this.#at = at;
  }

  /** What stands before a field's bytes. */
  head(field: number, length: number): void {
    this.#buffer[this.#at++] = field * 8 + 2;
    let rest = length;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.#buffer[this.#at++] = (rest % 128) + 128;
    this.#buffer[this.#at++] = rest;
  }

  bytes(bytes: Uint8Array): void {
    this.#buffer.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  text(field: number, text: string): void {
    this.head(field, Buffer.byteLength(text));
    this.#at += this.#buffer.write(text, this.#at);
  }

  /** All of a `google.protobuf.Any` but its value, which comes last. */
  anyHead({ typeUrl, bytes }: Resource): void {
    this.text(1, typeUrl);
    this.head(2, bytes.length);
  }

  /** What was written; all of the room has to be used. */
  whole(): Buffer {
    invariant(this.#at === this.#buffer.length, "fields fill the room that was measured for them");
    return this.#buffer;
  }
}
