import type { Metrics } from "../lib/mod.ts";
import { TYPE_URLS } from "./resource.ts";

/** What happened to a stream that was not served. */
export type RefusedReason = "certificate" | "identity" | "limit" | "node-id" | "request";

/** The metrics of the xDS server: OSM's, and what deliveries cost. Labels are closed sets. */
export interface XdsMetrics {
  connected(change: 1 | -1): void;
  reconnected(): void;
  requested(typeUrl: string): void;
  sent(typeUrl: string, sent: SentCounts): void;
  sendFailed(typeUrl: string): void;
  acknowledged(typeUrl: string, isAccepted: boolean, seconds: number): void;
  refused(reason: RefusedReason): void;
}

export interface SentCounts {
  readonly resources: number;
  readonly removed: number;
  readonly requiredResends: number;
  readonly bytes: number;
}

const ACKNOWLEDGE_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30];

const LABELS: Readonly<Record<string, string>> = {
  [TYPE_URLS.cluster]: "CDS",
  [TYPE_URLS.endpoints]: "EDS",
  [TYPE_URLS.listener]: "LDS",
  [TYPE_URLS.route]: "RDS",
  [TYPE_URLS.secret]: "SDS",
};

/** The short name that metrics use for a resource type; `other` for one that this server does not speak. */
function labelOf(typeUrl: string): string {
  return LABELS[typeUrl] ?? "other";
}

export function xdsMetrics(metrics: Metrics): XdsMetrics {
  const connectedNow = metrics.gauge("osm_proxy_connect_count", "Proxies connected now");
  const reconnects = metrics.counter(
    "osm_proxy_reconnect_count",
    "Streams opened by proxies that held resources already",
  );
  const requests = metrics.counter("osm_proxy_xds_request_count", "Discovery requests received");
  const successes = metrics.counter("osm_proxy_response_send_success_count", "Responses handed to the transport");
  const errors = metrics.counter("osm_proxy_response_send_error_count", "Responses lost with their stream");
  const overLimit = metrics.counter(
    "osm_proxy_max_connections_rejected",
    "Streams refused because there were too many",
  );
  const resources = metrics.counter("osm_xds_resources_sent_total", "Resources delivered, required re-sends included");
  const removals = metrics.counter("osm_xds_removals_sent_total", "Names told to be removed");
  const resends = metrics.counter(
    "osm_xds_required_resends_total",
    "Unchanged endpoints sent after their cluster changed",
  );
  const bytes = metrics.counter("osm_xds_bytes_sent_total", "Bytes of encoded responses");
  const nacks = metrics.counter("osm_xds_nacks_total", "Responses that proxies refused");
  const latency = metrics.histogram(
    "osm_xds_acknowledge_seconds",
    "Time from handing a response to the transport to the proxy's verdict",
    ACKNOWLEDGE_SECONDS,
  );
  const refusals = metrics.counter("osm_xds_streams_refused_total", "Streams ended by the server, by reason");
  let connected = 0;
  connectedNow.set(0);
  return {
    connected(change) {
      connected += change;
      connectedNow.set(connected);
    },
    reconnected: () => reconnects.add(),
    requested: (typeUrl) => requests.add(1, { type: labelOf(typeUrl) }),
    sent(typeUrl, sent) {
      const labels = { type: labelOf(typeUrl) };
      successes.add(1, labels);
      resources.add(sent.resources, labels);
      removals.add(sent.removed, labels);
      bytes.add(sent.bytes, labels);
      if (sent.requiredResends > 0) resends.add(sent.requiredResends);
    },
    sendFailed: (typeUrl) => errors.add(1, { type: labelOf(typeUrl) }),
    acknowledged(typeUrl, isAccepted, seconds) {
      const labels = { type: labelOf(typeUrl) };
      latency.observe(seconds, labels);
      if (!isAccepted) nacks.add(1, labels);
    },
    refused(reason) {
      refusals.add(1, { reason });
      if (reason === "limit") overLimit.add();
    },
  };
}
