/**
 * Encodes endpoints. By hand, after envoy/config/endpoint/v3/{endpoint,endpoint_components}.proto and
 * envoy/config/core/v3/{base,address}.proto: they change more often than anything else, and a thread that writes nothing
 * else need not load Envoy's other messages for it. A test holds the result against the generated encoder.
 */
import protobuf from "protobufjs/minimal.js";
import { contentHash } from "../lib/mod.ts";
import type { EndpointsView } from "../mesh/mod.ts";
import { RESOURCE_TYPE_URLS } from "./names.ts";
import { bytesTag, varintTag } from "./wire-tags.ts";

/** Tags of the fields that are written. */
const TAG = {
  assignment: { clusterName: bytesTag(1), endpoints: bytesTag(2) },
  locality: { locality: bytesTag(1), lbEndpoints: bytesTag(2) },
  zone: bytesTag(2),
  lbEndpoint: { endpoint: bytesTag(1) },
  endpoint: { address: bytesTag(1) },
  address: { socketAddress: bytesTag(1) },
  socketAddress: { address: bytesTag(2), portValue: varintTag(3) },
} as const;
const ZONE = "local";

/** Endpoints of one cluster, all alike, in one locality. None is valid: requests then end with 503 at once. */
export function encodeEndpoints(view: EndpointsView): Uint8Array {
  const writer = protobuf.Writer.create();
  writer.uint32(TAG.assignment.clusterName).string(view.name);
  if (view.endpoints.length === 0) return writer.finish();
  writer.uint32(TAG.assignment.endpoints).fork();
  writer.uint32(TAG.locality.locality).fork().uint32(TAG.zone).string(ZONE).ldelim();
  for (const { address, port } of view.endpoints) {
    writer.uint32(TAG.locality.lbEndpoints).fork();
    writer.uint32(TAG.lbEndpoint.endpoint).fork().uint32(TAG.endpoint.address).fork();
    writer.uint32(TAG.address.socketAddress).fork();
    writer.uint32(TAG.socketAddress.address).string(address).uint32(TAG.socketAddress.portValue).uint32(port);
    writer.ldelim().ldelim().ldelim().ldelim();
  }
  return writer.ldelim().finish();
}

/** The resource that `generate` makes of endpoints. */
export function generateEndpoints(view: EndpointsView) {
  const bytes = encodeEndpoints(view);
  return { typeUrl: RESOURCE_TYPE_URLS.endpoints, name: view.name, version: contentHash(bytes), bytes };
}
