import type { BoundCounter, BoundHistogram, Metrics } from "../../lib/mod.ts";
import type { Delivery } from "../observer.ts";
import { TYPE_URLS } from "../resource.ts";

/** What happened to a stream that was not served. */
export type RefusedReason = "certificate" | "identity" | "limit" | "node-id" | "request";

/** The metrics of the xDS server: OSM's, and what deliveries cost. Labels are closed sets. */
export interface XdsMetrics {
  connected(change: 1 | -1): void;
  reconnected(): void;
  requested(typeUrl: string): void;
  sent(typeUrl: string, sent: Pick<Delivery, "resources" | "removed" | "requiredResends" | "bytes">): void;
  /** Bytes of all responses so far. */
  bytesSent(): number;
  sendFailed(typeUrl: string): void;
  acknowledged(typeUrl: string, isAccepted: boolean, seconds: number): void;
  refused(reason: RefusedReason): void;
}

const ACKNOWLEDGE_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30];

/** A map: clients may name a type as they like, and an object has members that nobody gave it, such as `constructor`. */
const LABELS: ReadonlyMap<string, string> = new Map([
  [TYPE_URLS.cluster, "CDS"],
  [TYPE_URLS.endpoints, "EDS"],
  [TYPE_URLS.listener, "LDS"],
  [TYPE_URLS.route, "RDS"],
  [TYPE_URLS.secret, "SDS"],
]);

/** The short name that metrics use for a resource type; `other` for one that this server does not speak. */
function labelOf(typeUrl: string): string {
  return LABELS.get(typeUrl) ?? "other";
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
  const bound = (type: string): OfType => {
    const labels = { type };
    return {
      requests: requests.bind(labels),
      successes: successes.bind(labels),
      resources: resources.bind(labels),
      removals: removals.bind(labels),
      bytes: bytes.bind(labels),
      latency: latency.bind(labels),
    };
  };
  const byType = new Map<string, OfType>();
  let other: OfType | undefined;
  /** What is counted for each response, looked up by one map: this runs several times for each delivery. */
  const ofType = (typeUrl: string): OfType => {
    const found = byType.get(typeUrl);
    if (found !== undefined) return found;
    const label = LABELS.get(typeUrl);
    if (label === undefined) {
      other ??= bound(labelOf(typeUrl));
      return other;
    }
    const made = bound(label);
    byType.set(typeUrl, made);
    return made;
  };
  let connected = 0;
  let bytesSent = 0;
  connectedNow.set(0);
  return {
    connected(change) {
      connected += change;
      connectedNow.set(connected);
    },
    reconnected: () => reconnects.add(),
    requested: (typeUrl) => ofType(typeUrl).requests.add(1),
    sent(typeUrl, sent) {
      const counts = ofType(typeUrl);
      counts.successes.add(1);
      counts.resources.add(sent.resources.length);
      counts.removals.add(sent.removed.length);
      counts.bytes.add(sent.bytes);
      bytesSent += sent.bytes;
      if (sent.requiredResends > 0) resends.add(sent.requiredResends);
    },
    bytesSent: () => bytesSent,
    sendFailed: (typeUrl) => errors.add(1, { type: labelOf(typeUrl) }),
    acknowledged(typeUrl, isAccepted, seconds) {
      ofType(typeUrl).latency.observe(seconds);
      if (!isAccepted) nacks.add(1, { type: labelOf(typeUrl) });
    },
    refused(reason) {
      refusals.add(1, { reason });
      if (reason === "limit") overLimit.add();
    },
  };
}

interface OfType {
  readonly requests: BoundCounter;
  readonly successes: BoundCounter;
  readonly resources: BoundCounter;
  readonly removals: BoundCounter;
  readonly bytes: BoundCounter;
  readonly latency: BoundHistogram;
}
