import { envoy } from "../../proto/gen/resources.js";
import type { MetricsListenerView } from "../mesh/mod.ts";
import { staticHttpFilter } from "./http-connection-manager.ts";
import { PROXY_PORTS } from "./names.ts";

const METRICS_PATH = "/stats/prometheus";

/** Statistics for Prometheus, in plain text and on one path only: the rest of the admin interface stays inside the pod. */
export function metricsListener(view: MetricsListenerView): envoy.config.listener.v3.Listener.$Properties {
  return {
    name: view.name,
    address: { socketAddress: { address: "0.0.0.0", portValue: PROXY_PORTS.metrics } },
    trafficDirection: envoy.config.core.v3.TrafficDirection.INBOUND,
    filterChains: [
      {
        filters: [
          staticHttpFilter("prometheus-http-conn-manager", {
            name: "prometheus",
            validateClusters: { value: false },
            virtualHosts: [
              {
                name: "prometheus-inbound-virtual-host",
                domains: ["*"],
                routes: [{ match: { path: METRICS_PATH }, route: { cluster: "envoy-metrics-cluster" } }],
              },
            ],
          }),
        ],
      },
    ],
  };
}
