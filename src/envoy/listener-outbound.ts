import { envoy } from "../../proto/gen/resources.js";
import type { AddressMatch, OutboundChain, OutboundListenerView } from "../mesh/mod.ts";
import { ACCESS_LOGS } from "./access-log.ts";
import { outboundHttpFilter } from "./http-connection-manager.ts";
import { ORIGINAL_DST_FILTER } from "./listener-filters.ts";
import { DEFAULT_CHAINS, PROXY_PORTS } from "./names.ts";
import { REFUSED_CHAIN, tcpFilter } from "./network-filters.ts";

const { TrafficDirection } = envoy.config.core.v3;

type FilterChain = envoy.config.listener.v3.FilterChain.$Properties;

const PASSTHROUGH_CLUSTER = "passthrough-outbound";

const EGRESS_CHAIN: FilterChain = {
  name: DEFAULT_CHAINS.egress,
  filters: [tcpFilter(`egress-tcp-proxy.${PASSTHROUGH_CLUSTER}`, [{ cluster: PASSTHROUGH_CLUSTER, weight: 1 }])],
};

/**
 * Where the interception rules send what the application dials. Chains are chosen by address and port alone: an inspector
 * would wait for the client's first bytes, so that neither a banner of the server nor a refusal could come before them.
 *
 * Only chains differ between two versions of this listener, so that Envoy replaces those that changed and keeps the
 * connections of all others.
 */
export function outboundListener(view: OutboundListenerView): envoy.config.listener.v3.Listener.$Properties {
  return {
    name: view.name,
    address: { socketAddress: { address: "0.0.0.0", portValue: PROXY_PORTS.outbound } },
    trafficDirection: TrafficDirection.OUTBOUND,
    listenerFilters: [ORIGINAL_DST_FILTER],
    filterChains: [...view.chains.map(filterChain), ...view.refused.map(refusedChain)],
    defaultFilterChain: view.isEgressEnabled ? EGRESS_CHAIN : REFUSED_CHAIN,
    accessLog: [...ACCESS_LOGS],
  };
}

function filterChain(chain: OutboundChain): FilterChain {
  return {
    name: chain.name,
    filterChainMatch: chainMatch(chain),
    filters: [
      chain.route === undefined ? tcpFilter(chain.name, chain.clusters ?? []) : outboundHttpFilter(chain.route),
    ],
  };
}

function refusedChain(match: AddressMatch): FilterChain {
  return {
    name: `${DEFAULT_CHAINS.refused}_${match.port}`,
    filterChainMatch: chainMatch(match),
    filters: [...(REFUSED_CHAIN.filters ?? [])],
  };
}

function chainMatch({ port, addresses }: AddressMatch): envoy.config.listener.v3.FilterChainMatch.$Properties {
  return {
    destinationPort: { value: port },
    prefixRanges: addresses.map((addressPrefix) => ({
      addressPrefix,
      prefixLen: { value: addressPrefix.includes(":") ? 128 : 32 },
    })),
  };
}
