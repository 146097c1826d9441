import type { envoy } from "../../proto/gen/resources.js";
import type { EndpointsView } from "../mesh/mod.ts";

/** Endpoints of one cluster, all alike, in one locality. None is valid: requests then end with 503 at once. */
export function loadAssignment(view: EndpointsView): envoy.config.endpoint.v3.ClusterLoadAssignment.$Properties {
  const lbEndpoints = view.endpoints.map(({ address, port: portValue }) => ({
    endpoint: { address: { socketAddress: { address, portValue } } },
  }));
  return {
    clusterName: view.name,
    endpoints: lbEndpoints.length === 0 ? [] : [{ locality: { zone: "local" }, lbEndpoints }],
  };
}
