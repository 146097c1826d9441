const PREFIX = "type.googleapis.com/envoy.";

export const CLUSTER = 0;
export const ENDPOINTS = 1;
export const SECRET = 2;
export const LISTENER = 3;
export const ROUTE = 4;

/** Type URLs by the number of the type, in the order in which Envoy asks for them, first and after a reconnect. */
export const TYPE_URLS: readonly string[] = [
  `${PREFIX}config.cluster.v3.Cluster`,
  `${PREFIX}config.endpoint.v3.ClusterLoadAssignment`,
  `${PREFIX}extensions.transport_sockets.tls.v3.Secret`,
  `${PREFIX}config.listener.v3.Listener`,
  `${PREFIX}config.route.v3.RouteConfiguration`,
];

const numbers: ReadonlyMap<string, number> = new Map(TYPE_URLS.map((url, number) => [url, number]));

/** The number of a type; undefined when a sidecar does not know it. */
export function typeNumber(typeUrl: string): number | undefined {
  return numbers.get(typeUrl);
}
