/** Our own xDS server in this process, over tables that a test writes, for the simulated Envoys to connect to. */
import { envoy } from "../../proto/gen/envoy.js";
import { metricsRegistry, silentLog, systemClock } from "../../src/lib/mod.ts";
import {
  type DeliveryObserver,
  type Resource,
  type ResourceTable,
  startXdsServer,
  TYPE_URLS,
  type TypeUrl,
  type XdsServerOptions,
} from "../../src/xds/mod.ts";
import { testAuthority, testTables } from "../support/xds-mesh.ts";

const { Cluster } = envoy.config.cluster.v3;
const { ClusterLoadAssignment } = envoy.config.endpoint.v3;
const { Listener } = envoy.config.listener.v3;
const { RouteConfiguration } = envoy.config.route.v3;
const { Secret, UpstreamTlsContext } = envoy.extensions.transport_sockets.tls.v3;
const { HttpConnectionManager } = envoy.extensions.filters.network.http_connection_manager.v3;

const EDS = 3;
const overAds = { ads: {}, resourceApiVersion: 2 };

/** What a table holds: service names, each with the address of its one endpoint and the text of its cluster. */
export interface TestMesh {
  readonly endpoints: Readonly<Record<string, string>>;
  /** Goes into each cluster: another text is another version. */
  readonly clusterText?: string;
}

export function meshTable(generation: number, { endpoints, clusterText = "" }: TestMesh): ResourceTable {
  const names = Object.keys(endpoints);
  const resources = new Map<TypeUrl, Map<string, Resource>>();
  const put = (typeUrl: TypeUrl, name: string, bytes: Uint8Array) => {
    const own = resources.get(typeUrl) ?? new Map<string, Resource>();
    own.set(name, { typeUrl, name, version: Buffer.from(bytes).toString("base64url").slice(-40), bytes });
    resources.set(typeUrl, own);
  };
  for (const [name, address] of Object.entries(endpoints)) {
    put(TYPE_URLS.cluster, name, Cluster.encode(clusterOf(name, clusterText)).finish());
    const socketAddress = { address, portValue: 80 };
    const lbEndpoints = [{ endpoint: { address: { socketAddress } } }];
    put(
      TYPE_URLS.endpoints,
      name,
      ClusterLoadAssignment.encode({ clusterName: name, endpoints: [{ lbEndpoints }] }).finish(),
    );
  }
  put(TYPE_URLS.secret, "own", Secret.encode({ name: "own" }).finish());
  put(TYPE_URLS.listener, "outbound", Listener.encode(listener()).finish());
  const routes = names.map((cluster) => ({ match: { prefix: `/${cluster}` }, route: { cluster } }));
  const virtualHosts = [{ name: "all", domains: ["*"], routes }];
  put(TYPE_URLS.route, "outbound.80", RouteConfiguration.encode({ name: "outbound.80", virtualHosts }).finish());
  return {
    generation,
    get: (typeUrl, name) => resources.get(typeUrl)?.get(name),
    names: (typeUrl) => new Set(resources.get(typeUrl)?.keys()),
  };
}

function clusterOf(name: string, text: string) {
  const tls = UpstreamTlsContext.encode({
    commonTlsContext: { tlsCertificateSdsSecretConfigs: [{ name: "own", sdsConfig: overAds }] },
  }).finish();
  return {
    name,
    altStatName: text,
    type: EDS,
    edsClusterConfig: { edsConfig: overAds },
    transportSocket: {
      name: "tls",
      typedConfig: {
        type_url: "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        value: tls,
      },
    },
  };
}

function listener() {
  const manager = { statPrefix: "out", rds: { configSource: overAds, routeConfigName: "outbound.80" } };
  const typedConfig = {
    type_url: "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    value: HttpConnectionManager.encode(manager).finish(),
  };
  return { name: "outbound", filterChains: [{ filters: [{ name: "http", typedConfig }] }] };
}

const NO_OBSERVER: DeliveryObserver = {
  connected: () => undefined,
  disconnected: () => undefined,
  sent: () => undefined,
  acked: () => undefined,
  nacked: () => undefined,
  held: () => undefined,
  settled: () => undefined,
};

export async function startTestServer(transport: NonNullable<XdsServerOptions["transport"]>) {
  const authority = await testAuthority();
  const tables = testTables();
  const credentials = await authority.server();
  const listen = (address: string) =>
    startXdsServer({
      addresses: [address],
      credentials,
      transport,
      authenticate: ({ commonName }) => {
        const [uuid = "", , serviceAccount = "", namespace = ""] = commonName.split(".");
        return { uuid, serviceAccount, namespace, pod: uuid };
      },
      tables,
      observe: NO_OBSERVER,
      clock: systemClock(),
      log: silentLog(),
      metrics: metricsRegistry(),
    });
  let server = await listen("127.0.0.1:0");
  const [address = ""] = server.addresses;
  return {
    address,
    rootsPem: authority.rootsPem,
    publish: (table: ResourceTable) => tables.publish(table),
    sidecar: (uuid: string) => authority.sidecar({ uuid, serviceAccount: "shop", namespace: "default" }),
    /** Stops, and listens on the same address again when `after` has resolved. */
    async restart(after: () => Promise<void>) {
      await server.close();
      await after();
      server = await listen(address);
    },
    close: () => server.close(),
  };
}

export type TestServer = Awaited<ReturnType<typeof startTestServer>>;
