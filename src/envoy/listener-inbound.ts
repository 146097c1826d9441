import { envoy } from "../../proto/gen/resources.js";
import { invariant } from "../lib/mod.ts";
import type { InboundChain, InboundListenerView, TlsSettings } from "../mesh/mod.ts";
import { ACCESS_LOGS } from "./access-log.ts";
import { inboundHttpFilter } from "./http-connection-manager.ts";
import { ORIGINAL_DST_FILTER, TLS_INSPECTOR_FILTER } from "./listener-filters.ts";
import { PROXY_PORTS } from "./names.ts";
import { REFUSED_CHAIN, tcpFilter } from "./network-filters.ts";
import { networkRbacFilter } from "./rbac.ts";
import { inboundTls, MESH_ALPN } from "./tls-contexts.ts";

const { TrafficDirection } = envoy.config.core.v3;

type Filter = envoy.config.listener.v3.Filter.$Properties;

/** A client of the mesh sends its TLS hello at once; one that sends nothing, or slowly, is not one. */
const HELLO_TIMEOUT_SECONDS = 2;

/**
 * Where the interception rules send what others dial. A connection that is not mTLS of the mesh, or for a service that is
 * not here, is closed.
 */
export function inboundListener(view: InboundListenerView): envoy.config.listener.v3.Listener.$Properties {
  return {
    name: view.name,
    address: { socketAddress: { address: "0.0.0.0", portValue: PROXY_PORTS.inbound } },
    trafficDirection: TrafficDirection.INBOUND,
    listenerFilters: [ORIGINAL_DST_FILTER, TLS_INSPECTOR_FILTER],
    listenerFiltersTimeout: { seconds: HELLO_TIMEOUT_SECONDS },
    filterChains: view.chains.map((chain) => filterChain(chain, view.tls)),
    defaultFilterChain: REFUSED_CHAIN,
    accessLog: [...ACCESS_LOGS],
  };
}

function filterChain(chain: InboundChain, tls: TlsSettings): envoy.config.listener.v3.FilterChain.$Properties {
  return {
    name: chain.name,
    filterChainMatch: {
      destinationPort: { value: chain.port },
      serverNames: [...chain.serverNames],
      transportProtocol: "tls",
      applicationProtocols: [MESH_ALPN],
    },
    transportSocket: inboundTls(tls, acceptedClients(chain)),
    filters: chain.route === undefined ? tcpFilters(chain) : [inboundHttpFilter(chain.route)],
  };
}

/** A client without a right to a TCP port gets no byte of it: TLS validation itself refuses it. */
function acceptedClients({ policies }: InboundChain): readonly string[] | undefined {
  return policies && [...new Set(policies.flatMap(({ principals }) => principals))].sort();
}

function tcpFilters(chain: InboundChain): Filter[] {
  invariant(chain.cluster !== undefined, `inbound chain "${chain.name}" has neither a route nor a cluster`);
  const proxy = tcpFilter(chain.name, [{ cluster: chain.cluster, weight: 1 }]);
  return chain.policies === undefined ? [proxy] : [networkRbacFilter(chain.policies), proxy];
}
