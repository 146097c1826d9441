import { envoy } from "../../proto/gen/resources.js";
import { contentHash } from "../lib/mod.ts";
import type { ResourceView } from "../mesh/mod.ts";
import { localCluster, metricsCluster, passthroughCluster, upstreamCluster } from "./clusters.ts";
import { encodeEndpoints } from "./endpoints.ts";
import { inboundListener } from "./listener-inbound.ts";
import { metricsListener } from "./listener-metrics.ts";
import { outboundListener } from "./listener-outbound.ts";
import { RESOURCE_TYPE_URLS } from "./names.ts";
import { encodeInboundRoutes } from "./routes-inbound.ts";
import { encodeOutboundRoutes } from "./routes-outbound.ts";

const { Cluster } = envoy.config.cluster.v3;
const { Listener } = envoy.config.listener.v3;

/** One encoded resource; `version` is the hash of `bytes`. */
export interface GeneratedResource {
  readonly typeUrl: (typeof RESOURCE_TYPE_URLS)[keyof typeof RESOURCE_TYPE_URLS];
  readonly name: string;
  readonly version: string;
  readonly bytes: Uint8Array;
}

const TYPE_OF_KIND: Readonly<Record<ResourceView["kind"], GeneratedResource["typeUrl"]>> = {
  "upstream-cluster": RESOURCE_TYPE_URLS.cluster,
  "local-cluster": RESOURCE_TYPE_URLS.cluster,
  "passthrough-cluster": RESOURCE_TYPE_URLS.cluster,
  "metrics-cluster": RESOURCE_TYPE_URLS.cluster,
  endpoints: RESOURCE_TYPE_URLS.endpoints,
  "outbound-listener": RESOURCE_TYPE_URLS.listener,
  "inbound-listener": RESOURCE_TYPE_URLS.listener,
  "metrics-listener": RESOURCE_TYPE_URLS.listener,
  "outbound-route": RESOURCE_TYPE_URLS.route,
  "inbound-route": RESOURCE_TYPE_URLS.route,
};

/** Generates one Envoy resource. Pure: equal views give equal bytes, on every runtime. */
export function generate(view: ResourceView): GeneratedResource {
  const bytes = encode(view);
  return { typeUrl: TYPE_OF_KIND[view.kind], name: view.name, version: contentHash(bytes), bytes };
}

function encode(view: ResourceView): Uint8Array {
  switch (view.kind) {
    case "upstream-cluster":
      return Cluster.encode(upstreamCluster(view)).finish();
    case "local-cluster":
      return Cluster.encode(localCluster(view)).finish();
    case "passthrough-cluster":
      return Cluster.encode(passthroughCluster(view)).finish();
    case "metrics-cluster":
      return Cluster.encode(metricsCluster(view)).finish();
    case "endpoints":
      return encodeEndpoints(view);
    case "outbound-listener":
      return Listener.encode(outboundListener(view)).finish();
    case "inbound-listener":
      return Listener.encode(inboundListener(view)).finish();
    case "metrics-listener":
      return Listener.encode(metricsListener(view)).finish();
    case "outbound-route":
      return encodeOutboundRoutes(view);
    case "inbound-route":
      return encodeInboundRoutes(view);
  }
}
