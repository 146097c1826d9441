/** Requests from bytes, responses to bytes. Follows envoy/service/discovery/v3/discovery.proto. */
import { envoy } from "../../../proto/gen/discovery.js";
import { ownCopy } from "../../lib/mod.ts";
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
  return (response) => {
    const parts: Uint8Array[] = [textField(1, response.version)];
    for (const resource of response.resources) parts.push(deltaPrefix(prefixes, resource), resource.bytes);
    parts.push(textField(4, response.typeUrl), textField(5, response.nonce));
    for (const name of response.removed) parts.push(textField(6, name));
    return withPrefix(parts);
  };
}

/** A `DiscoveryResponse` with its gRPC prefix. */
export function encodeSotwResponse(response: Response): Buffer {
  const parts: Uint8Array[] = [textField(1, response.version)];
  for (const resource of response.resources) {
    const any = anyPrefix(resource);
    parts.push(tagAndLength(2, any.length + resource.bytes.length), any, resource.bytes);
  }
  parts.push(textField(4, response.typeUrl), textField(5, response.nonce));
  return withPrefix(parts);
}

function withPrefix(parts: readonly Uint8Array[]): Buffer {
  let length = 0;
  for (const part of parts) length += part.length;
  // Not in Node's pool: it is kept for a while.
  const message = Buffer.alloc(PREFIX_BYTES + length);
  message.writeUInt32BE(length, 1);
  let at = PREFIX_BYTES;
  for (const part of parts) {
    message.set(part, at);
    at += part.length;
  }
  return message;
}

/** All of a response's `Resource` entry but the resource's bytes, which come last. */
function deltaPrefix(prefixes: Prefixes, resource: Resource): Buffer {
  let prefix = prefixes.get(resource);
  if (prefix === undefined) {
    const any = anyPrefix(resource);
    const entry = Buffer.concat([
      textField(1, resource.version),
      textField(3, resource.name),
      tagAndLength(2, any.length + resource.bytes.length),
      any,
    ]);
    const tag = tagAndLength(2, entry.length + resource.bytes.length);
    prefix = ownCopy(Buffer.concat([tag, entry]));
    prefixes.set(resource, prefix);
  }
  return prefix;
}

/** All of a `google.protobuf.Any` but its value, which comes last. */
function anyPrefix(resource: Resource): Buffer {
  return Buffer.concat([textField(1, resource.typeUrl), tagAndLength(2, resource.bytes.length)]);
}

function textField(field: number, text: string): Buffer {
  const bytes = Buffer.from(text, "utf8");
  return Buffer.concat([tagAndLength(field, bytes.length), bytes]);
}

/** Field numbers below 16, wire type 2 (length-delimited). */
function tagAndLength(field: number, length: number): Buffer {
  const bytes = [field * 8 + 2];
  let rest = length;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}
