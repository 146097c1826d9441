/** Lies that a server could tell: each is one field of what the control plane makes. */
import { describe, expect, test } from "vitest";
import { envoy } from "../../proto/gen/envoy.js";
import { TYPE_URL, World } from "../../src/fleet/mod.ts";
import { expectations } from "../../src/fleet/oracle-expectation.ts";
import { INBOUND_ROUTE } from "../../src/fleet/oracle-names.ts";
import {
  differencesOf,
  editPacked,
  editRules,
  judged,
  Sent,
  setCluster,
  setHost,
  setSecret,
  shape,
} from "./sent-resources.ts";

const { ClusterLoadAssignment } = envoy.config.endpoint.v3;
const { HttpConnectionManager } = envoy.extensions.filters.network.http_connection_manager.v3;

const CLUSTER = "ns-000/service-00000|8080";
const ROUTE = "rds-outbound.ns-001/service-00001.80";
/** Of a part of the split that it may not call: without endpoints. */
const SPARE = "ns-000/service-00002|8080";
const INBOUND = "inbound-listener";
const OUTBOUND = "outbound-listener";

describe("the oracle", () => {
  test.each<[string, (sent: Sent) => void, string]>([
    [
      "a host name is dead",
      (sent) => sent.editRoutes(ROUTE, ([host]) => void host?.domains?.fill("dead", 0, 1)),
      "dead",
    ],
    [
      "host names are missing",
      (sent) => sent.editRoutes(ROUTE, ([host]) => void host?.domains?.splice(0, 3)),
      "missing",
    ],
    [
      "the short name is one of another namespace's service",
      (sent) => sent.editRoutes(ROUTE, ([host]) => void host?.domains?.push("service-00001")),
      "domains: service-00001",
    ],
    [
      "a virtual host is gone",
      (sent) => sent.editRoutes(INBOUND_ROUTE, (hosts) => void hosts.splice(0)),
      "lets in none",
    ],
    [
      "a route takes every method",
      (sent) => sent.editRoutes(INBOUND_ROUTE, ([host]) => void host?.routes?.[0]?.match?.headers?.shift()),
      ":method",
    ],
    [
      "a route takes requests without the header",
      (sent) => sent.editRoutes(INBOUND_ROUTE, ([host]) => void host?.routes?.[0]?.match?.headers?.pop()),
      "x-client",
    ],
    [
      "a route leads to somebody else's application",
      (sent) => sent.editRoutes(INBOUND_ROUTE, ([host]) => setCluster(host?.routes?.[0], "ns-000/other|8080|local")),
      "ns-000/other|8080|local",
    ],
    [
      "a request is sent on with another host name",
      (sent) => sent.editRoutes(ROUTE, ([host]) => setHost(host?.routes?.[0], "elsewhere")),
      "hostRewriteLiteral: elsewhere",
    ],
    [
      "one of two routes lets in fewer",
      (sent) => sent.editRoutes(INBOUND_ROUTE, ([host]) => editRules(host?.routes?.[0], (names) => void names.pop())),
      "principals: 2",
    ],
    [
      "a route lets in anybody as well",
      (sent) =>
        sent.editRoutes(INBOUND_ROUTE, ([host]) =>
          editRules(host?.routes?.[0], (names) => void names.push({ any: true })),
        ),
      "lets in any: true",
    ],
    [
      "an inbound chain is missing",
      (sent) => sent.editListener(INBOUND, (listener) => void listener.filterChains.pop()),
      "filterChains[",
    ],
    [
      "an outbound chain is missing",
      (sent) => sent.editListener(OUTBOUND, (listener) => void listener.filterChains.pop()),
      "filterChains[",
    ],
    [
      "a chain is for another port",
      (sent) =>
        sent.editChain(INBOUND, (chain) =>
          Object.assign(chain.filterChainMatch ?? {}, { destinationPort: { value: 8081 } }),
        ),
      "destinationPort.value: 8081",
    ],
    [
      "a chain is for another SNI",
      (sent) =>
        sent.editChain(INBOUND, (chain) => Object.assign(chain.filterChainMatch ?? {}, { serverNames: ["dead"] })),
      "serverNames: dead",
    ],
    [
      "a chain takes what is not of the mesh",
      (sent) =>
        sent.editChain(INBOUND, (chain) => Object.assign(chain.filterChainMatch ?? {}, { applicationProtocols: [] })),
      "applicationProtocols: osm",
    ],
    [
      "a chain is for other addresses",
      (sent) =>
        sent.editChain(OUTBOUND, (chain) =>
          Object.assign(chain.filterChainMatch ?? {}, {
            prefixRanges: [{ addressPrefix: "10.0.0.0", prefixLen: { value: 8 } }],
          }),
        ),
      "addressPrefix: 10.0.0.0, prefixLen.value: 8",
    ],
    [
      "a chain takes some sources alone",
      (sent) =>
        sent.editChain(INBOUND, (chain) =>
          Object.assign(chain.filterChainMatch ?? {}, {
            sourcePrefixRanges: [{ addressPrefix: "10.64.0.0", prefixLen: { value: 32 } }],
          }),
        ),
      "sourcePrefixRanges",
    ],
    [
      "a chain has no TLS",
      (sent) => sent.editChain(INBOUND, (chain) => Object.assign(chain, { transportSocket: null })),
      "transportSocket",
    ],
    [
      "no client certificate is asked for",
      (sent) => sent.editDownstreamTls((context) => Object.assign(context, { requireClientCertificate: null })),
      "requireClientCertificate.value: true",
    ],
    [
      "a chain shows another certificate",
      (sent) => sent.editDownstreamTls(({ commonTlsContext }) => setSecret(commonTlsContext, "other")),
      "[other]",
    ],
    [
      "a chain asks nobody's rules",
      (sent) =>
        sent.editChain(INBOUND, ({ filters }) =>
          editPacked(filters?.[0], HttpConnectionManager, ({ httpFilters }) => void httpFilters?.shift()),
        ),
      "envoy.filters.http.rbac",
    ],
    [
      "a chain reads other routes",
      (sent) =>
        sent.editChain(OUTBOUND, ({ filters }) =>
          editPacked(
            filters?.[0],
            HttpConnectionManager,
            ({ rds }) => void Object.assign(rds ?? {}, { routeConfigName: ROUTE }),
          ),
        ),
      `rds.routeConfigName: ${ROUTE}`,
    ],
    [
      "what no chain claims passes",
      (sent) => sent.editListener(OUTBOUND, (listener) => Object.assign(listener, { defaultFilterChain: null })),
      "defaultFilterChain",
    ],
    [
      "a listener does not ask for the original destination",
      (sent) => sent.editListener(OUTBOUND, (listener) => void listener.listenerFilters.pop()),
      "listenerFilters[envoy.filters.listener.original_dst]",
    ],
    [
      "a listener listens elsewhere",
      (sent) =>
        sent.editListener(
          INBOUND,
          ({ address }) => void Object.assign(address?.socketAddress ?? {}, { portValue: 15004 }),
        ),
      "portValue: 15004",
    ],
    [
      "a cluster has no TLS",
      (sent) => sent.editCluster(SPARE, (cluster) => Object.assign(cluster, { transportSocket: null })),
      "transportSocket",
    ],
    [
      "a cluster has another SNI",
      (sent) => sent.editUpstreamTls(CLUSTER, (context) => Object.assign(context, { sni: "dead" })),
      "sni: dead",
    ],
    [
      "a cluster speaks another protocol",
      (sent) =>
        sent.editUpstreamTls(CLUSTER, ({ commonTlsContext }) => void commonTlsContext?.alpnProtocols?.splice(0)),
      "alpnProtocols: osm",
    ],
    [
      "a cluster shows another certificate",
      (sent) => sent.editUpstreamTls(CLUSTER, ({ commonTlsContext }) => setSecret(commonTlsContext, "other")),
      "[other]",
    ],
    [
      "a cluster takes older TLS than the mesh allows",
      (sent) =>
        sent.editUpstreamTls(CLUSTER, ({ commonTlsContext }) => {
          Object.assign(commonTlsContext?.tlsParams ?? {}, { tlsMinimumProtocolVersion: 1 });
        }),
      "tlsMinimumProtocolVersion: 1",
    ],
    [
      "a cluster takes certificates of nobody's",
      (sent) =>
        sent.editUpstreamTls(CLUSTER, ({ commonTlsContext }) => {
          const validation = commonTlsContext?.combinedValidationContext?.defaultValidationContext;
          Object.assign(validation ?? {}, { trustChainVerification: 1 });
        }),
      "trustChainVerification: 1",
    ],
    [
      "the application is elsewhere",
      (sent) =>
        sent.editCluster(`${CLUSTER}|local`, ({ loadAssignment }) => {
          const endpoint = loadAssignment?.endpoints?.[0]?.lbEndpoints?.[0]?.endpoint;
          Object.assign(endpoint?.address?.socketAddress ?? {}, { portValue: 80 });
        }),
      "portValue: 80",
    ],
    [
      "an endpoint is said to be ill",
      (sent) =>
        sent.edit(TYPE_URL.endpoints, CLUSTER, ClusterLoadAssignment, ({ endpoints }) => {
          Object.assign(endpoints?.[0]?.lbEndpoints?.[0] ?? {}, { healthStatus: 2 });
        }),
      "10.64.0.0:8080 of health 2",
    ],
    [
      "a cluster asks nobody for endpoints",
      (sent) => sent.editCluster(CLUSTER, (cluster) => Object.assign(cluster, { type: 0, edsClusterConfig: null })),
      "edsClusterConfig",
    ],
  ])("sees that %s", async (_, change, words) => {
    const found = await judged(change);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(words);
  });

  test("agrees with the control plane whatever the mode, the scope, the settings and the splits are", async () => {
    for (const own of [{}, { mode: "permissive" }, { mode: "permissive", scope: "namespace" }] as const) {
      const world = new World({ ...shape, ...own });
      world.settings.set("spec.traffic.enableEgress", true);
      world.settings.set("spec.sidecar.ecdhCurves", ["P-256"]);
      const expected = expectations(world);
      for (let service = 0; service < world.services; service++) {
        expect(await differencesOf(new Sent(world, service), expected(service))).toEqual([]);
      }
    }
  });
});
