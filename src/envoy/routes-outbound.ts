/**
 * Encodes outbound routes. By hand, after envoy/config/route/v3/{route,route_components}.proto and
 * envoy/extensions/retry/host/previous_hosts/v3/previous_hosts.proto, for the reasons of `endpoints.ts`: the weights of a
 * split are edited by people who watch what happens. A test holds the result against the generated encoder.
 */
import protobuf from "protobufjs/minimal.js";
import { contentHash } from "../lib/mod.ts";
import type { OutboundRouteView, OutboundVirtualHost, WeightedCluster } from "../mesh/mod.ts";
import { EXTENSIONS, RESOURCE_TYPE_URLS } from "./names.ts";
import { ROUTE_TAG, writeNoTimeLimit, writeUnvalidated } from "./route-fields.ts";
import { bytesTag, varintTag } from "./wire-tags.ts";

const TAG = {
  weightedClusters: { clusters: bytesTag(1) },
  clusterWeight: { name: bytesTag(1), weight: bytesTag(2) },
  retry: { on: bytesTag(1), numRetries: bytesTag(2), hostPredicate: bytesTag(5), attempts: varintTag(6) },
  hostPredicate: { name: bytesTag(1), typedConfig: bytesTag(3) },
  typeUrl: bytesTag(1),
  value: varintTag(1),
} as const;

/** Envoy adds up weights in 32 bits. */
const WEIGHT_SUM_MAX = 2 ** 32 - 1;

/**
 * Requests that no server has seen are tried again elsewhere: the connection could not be made, or ended (an old chain
 * being drained, a pod that is gone) before the request was sent. Safe for any method.
 */
const RETRY_UNSENT: Uint8Array = retryUnsent();

function retryUnsent(): Uint8Array {
  const writer = protobuf.Writer.create();
  writer.uint32(TAG.retry.on).string("connect-failure,refused-stream,reset-before-request");
  writer.uint32(TAG.retry.numRetries).fork().uint32(TAG.value).uint32(2).ldelim();
  writer.uint32(TAG.retry.hostPredicate).fork().uint32(TAG.hostPredicate.name).string(EXTENSIONS.previousHosts);
  writer.uint32(TAG.hostPredicate.typedConfig).fork();
  writer
    .uint32(TAG.typeUrl)
    .string("type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate");
  return new Uint8Array(writer.ldelim().ldelim().uint32(TAG.retry.attempts).int64(3).finish());
}

/** Routes of one service and port as its clients see it: by host name, then by weight. No time limit, as in OSM. */
export function encodeOutboundRoutes(view: OutboundRouteView): Uint8Array {
  const writer = protobuf.Writer.create();
  writer.uint32(ROUTE_TAG.configuration.name).string(view.name);
  for (const host of view.virtualHosts) {
    writer.uint32(ROUTE_TAG.configuration.virtualHosts).fork();
    writeVirtualHost(writer, host);
    writer.ldelim();
  }
  writeUnvalidated(writer);
  return writer.finish();
}

/** The resource that `generate` makes of outbound routes. */
export function generateOutboundRoutes(view: OutboundRouteView) {
  const bytes = encodeOutboundRoutes(view);
  return { typeUrl: RESOURCE_TYPE_URLS.route, name: view.name, version: contentHash(bytes), bytes };
}

function writeVirtualHost(writer: protobuf.Writer, host: OutboundVirtualHost): void {
  writer.uint32(ROUTE_TAG.virtualHost.name).string(host.name);
  for (const domain of host.domains) writer.uint32(ROUTE_TAG.virtualHost.domains).string(domain);
  writer.uint32(ROUTE_TAG.virtualHost.routes).fork();
  writer.uint32(ROUTE_TAG.route.match).fork().uint32(ROUTE_TAG.match.prefix).string("").ldelim();
  writer.uint32(ROUTE_TAG.route.action).fork();
  writeClusters(writer, host.clusters);
  writeNoTimeLimit(writer);
  writer.uint32(ROUTE_TAG.action.retryPolicy).bytes(RETRY_UNSENT);
  writer.ldelim().ldelim();
}

function writeClusters(writer: protobuf.Writer, clusters: readonly WeightedCluster[]): void {
  const [first] = clusters;
  if (clusters.length === 1 && first !== undefined) {
    writer.uint32(ROUTE_TAG.action.cluster).string(first.cluster);
    return;
  }
  const sum = clusters.reduce((total, { weight }) => total + weight, 0);
  const scale = Math.min(1, WEIGHT_SUM_MAX / sum);
  writer.uint32(ROUTE_TAG.action.weightedClusters).fork();
  for (const { cluster, weight } of clusters) {
    const share = Math.floor(weight * scale);
    writer.uint32(TAG.weightedClusters.clusters).fork().uint32(TAG.clusterWeight.name).string(cluster);
    writer.uint32(TAG.clusterWeight.weight).fork();
    // A value that is the default is left out.
    if (share > 0) writer.uint32(TAG.value).uint32(share);
    writer.ldelim().ldelim();
  }
  writer.ldelim();
}
