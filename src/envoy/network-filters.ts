import { envoy } from "../../proto/gen/resources.js";
import type { WeightedCluster } from "../mesh/mod.ts";
import { packAny } from "./any.ts";
import { DEFAULT_CHAINS, EXTENSIONS } from "./names.ts";

/** What happens to a TCP connection: proxied, or closed. */
const { TcpProxy } = envoy.extensions.filters.network.tcp_proxy.v3;
const { Config: DirectResponse } = envoy.extensions.filters.network.direct_response.v3;

type Filter = envoy.config.listener.v3.Filter.$Properties;
type FilterChain = envoy.config.listener.v3.FilterChain.$Properties;

/** An endpoint that went away a moment ago costs a second attempt, not the connection. */
const CONNECT_ATTEMPTS = 3;

/** Proxies bytes to one of `clusters`; without any, closes the connection. */
export function tcpFilter(statPrefix: string, clusters: readonly WeightedCluster[]): Filter {
  const [first] = clusters;
  if (first === undefined) return CLOSE_AT_ONCE;
  const target =
    clusters.length === 1
      ? { cluster: first.cluster }
      : { weightedClusters: { clusters: clusters.map(({ cluster, weight }) => ({ name: cluster, weight })) } };
  return {
    name: EXTENSIONS.tcpProxy,
    typedConfig: packAny("envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", TcpProxy, {
      statPrefix,
      ...target,
      maxConnectAttempts: { value: CONNECT_ATTEMPTS },
    }),
  };
}

/** Answers a new connection with nothing and closes it, before the client has sent a byte. */
const CLOSE_AT_ONCE: Filter = {
  name: EXTENSIONS.directResponse,
  typedConfig: packAny("envoy.extensions.filters.network.direct_response.v3.Config", DirectResponse, {}),
};

/** Default chain of a listener that refuses what no chain claims. Also what makes a listener without chains valid. */
export const REFUSED_CHAIN: FilterChain = { name: DEFAULT_CHAINS.refused, filters: [CLOSE_AT_ONCE] };
