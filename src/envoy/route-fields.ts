/** What routes of both directions are written with: envoy/config/route/v3/{route,route_components}.proto. */
import type protobuf from "protobufjs/minimal.js";
import { bytesTag } from "./wire-tags.ts";

export const ROUTE_TAG = {
  configuration: { name: bytesTag(1), virtualHosts: bytesTag(2), validateClusters: bytesTag(7) },
  virtualHost: { name: bytesTag(1), domains: bytesTag(2), routes: bytesTag(3) },
  route: { match: bytesTag(1), action: bytesTag(2), typedPerFilterConfig: bytesTag(13) },
  match: { prefix: bytesTag(1), headers: bytesTag(6), safeRegex: bytesTag(10) },
  action: { cluster: bytesTag(1), weightedClusters: bytesTag(3), timeout: bytesTag(8), retryPolicy: bytesTag(9) },
} as const;

/** The message whose fields all have their defaults: false, or 0 s. */
const DEFAULTS = new Uint8Array();

/** Clusters travel on the same stream; one that is still on its way is 503, not a refused route configuration. */
export function writeUnvalidated(writer: protobuf.Writer): void {
  writer.uint32(ROUTE_TAG.configuration.validateClusters).bytes(DEFAULTS);
}

/** A limit of 0 s is none; without one Envoy's own holds, 15 s. */
export function writeNoTimeLimit(writer: protobuf.Writer): void {
  writer.uint32(ROUTE_TAG.action.timeout).bytes(DEFAULTS);
}
