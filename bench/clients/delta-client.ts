/**
 * A plain client of the delta ADS protocol that subscribes as Envoy does: all clusters and listeners, the endpoints that
 * clusters name, the routes that listeners name, and its secrets. Written from the protocol's description
 * (https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol); it shares nothing with the server but the protos.
 */
import { createHash } from "node:crypto";
import process from "node:process";
import {
  type ClientDuplexStream,
  credentials,
  Client as GrpcClient,
  type ServiceError,
  type StatusObject,
} from "@grpc/grpc-js";
import { envoy } from "../../proto/gen/envoy.js";

const { DeltaDiscoveryRequest, DeltaDiscoveryResponse } = envoy.service.discovery.v3;
const { HttpConnectionManager } = envoy.extensions.filters.network.http_connection_manager.v3;

const METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
const CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
export const ENDPOINTS = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
const LISTENER = "type.googleapis.com/envoy.config.listener.v3.Listener";
const ROUTE = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";
const SECRET = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";
const HTTP_FILTER =
  "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const EDS = 3;
/** What the server's certificate has to say, wherever it is reached. */
const SERVER_NAME = "osm-controller.osm-system.svc.cluster.local";

export interface ClientCredential {
  readonly uuid: string;
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly caPem: string;
}

/** One resource that arrived. */
export interface Received {
  readonly typeUrl: string;
  readonly name: string;
  /** Hash of its bytes, by the client's own count. */
  readonly hash: string;
  readonly bytes: Uint8Array;
  /** The client had the very same bytes under this name already. */
  readonly isRepeated: boolean;
}

/** One response; the client has written its acknowledgement at `acknowledgedAt` (monotonic clock of the machine, ns). */
export interface Arrival {
  readonly typeUrl: string;
  readonly received: readonly Received[];
  readonly removed: readonly string[];
  readonly bytes: number;
  readonly acknowledgedAt: bigint;
}

export interface ClientEvents {
  readonly arrived: (arrival: Arrival) => void;
  readonly ended: (why: string) => void;
}

export class DeltaClient {
  readonly #grpc: GrpcClient;
  readonly #stream: ClientDuplexStream<Buffer, Buffer>;
  readonly #events: ClientEvents;
  readonly #uuid: string;
  /** What it has, by type and name: the version that the server gave, and the client's own hash. */
  readonly #held = new Map<string, Map<string, { readonly version: string; readonly hash: string }>>();
  readonly #subscribed = new Map<string, ReadonlySet<string>>();
  /** Names of which it was told something, be it that there is no such resource. */
  readonly #answered = new Map<string, Set<string>>();
  #isClosed = false;

  constructor(address: string, credential: ClientCredential, events: ClientEvents) {
    this.#events = events;
    this.#uuid = credential.uuid;
    const { caPem, privateKeyPem, certificatePem } = credential;
    const [ca, key, certificate] = [caPem, privateKeyPem, certificatePem].map((pem) => Buffer.from(pem));
    this.#grpc = new GrpcClient(address, credentials.createSsl(ca, key, certificate), {
      "grpc.max_receive_message_length": -1,
      "grpc.ssl_target_name_override": SERVER_NAME,
      // Each client has a connection of its own, as each Envoy has.
      "grpc.use_local_subchannel_pool": 1,
    });
    const asIs = (bytes: Buffer) => bytes;
    this.#stream = this.#grpc.makeBidiStreamRequest<Buffer, Buffer>(METHOD, asIs, asIs);
    this.#stream.on("data", (message: Buffer) => this.#receive(message));
    this.#stream.on("error", (error: ServiceError) => this.#end(error.message));
    this.#stream.on("status", (status: StatusObject) => this.#end(`status ${status.code} ${status.details}`));
  }

  /** Asks for everything, as after a start, or with what `before` had, as after a lost connection. */
  start(before?: DeltaClient): void {
    for (const typeUrl of [CLUSTER, LISTENER]) this.#subscribe(typeUrl, ["*"], before);
    if (before !== undefined) {
      for (const typeUrl of [ENDPOINTS, ROUTE]) {
        this.#subscribe(typeUrl, [...(before.#subscribed.get(typeUrl) ?? [])], before);
      }
    }
    this.#subscribe(SECRET, ["service-cert", "root-cert"], before);
  }

  /** Something that it asked for and was told nothing about; undefined when there is no such thing. */
  missing(): string | undefined {
    for (const [typeUrl, names] of this.#subscribed) {
      const answered = this.#answered.get(typeUrl);
      if (answered === undefined) return typeUrl;
      for (const name of names) if (name !== "*" && !answered.has(name)) return `${typeUrl} ${name}`;
    }
    return undefined;
  }

  close(): void {
    this.#isClosed = true;
    this.#stream.cancel();
    this.#grpc.close();
  }

  #subscribe(typeUrl: string, names: readonly string[], before?: DeltaClient): void {
    const known = this.#subscribed.get(typeUrl) ?? new Set<string>();
    const added = names.filter((name) => !known.has(name));
    this.#subscribed.set(typeUrl, new Set([...known, ...added]));
    if (added.length === 0) return;
    const held = before === undefined ? undefined : before.#held.get(typeUrl);
    if (held !== undefined) {
      this.#held.set(typeUrl, new Map(held));
      this.#answered.set(typeUrl, new Set(held.keys()));
    }
    const versions = [...(held ?? [])].map(([name, { version }]) => [name, version] as const);
    this.#send({
      typeUrl,
      node: { id: this.#uuid },
      resourceNamesSubscribe: added,
      initialResourceVersions: Object.fromEntries(versions),
    });
  }

  #send(request: envoy.service.discovery.v3.DeltaDiscoveryRequest.$Properties): void {
    this.#stream.write(Buffer.from(DeltaDiscoveryRequest.encode(request).finish()));
  }

  #receive(message: Buffer): void {
    const response = DeltaDiscoveryResponse.decode(message);
    const typeUrl = response.typeUrl ?? "";
    const removed = response.removedResources ?? [];
    const held = this.#held.get(typeUrl) ?? new Map<string, { version: string; hash: string }>();
    this.#held.set(typeUrl, held);
    const received = (response.resources ?? []).map(({ name: given, version, resource }): Received => {
      const name = given ?? "";
      const bytes = resource?.value ?? new Uint8Array();
      const hash = createHash("sha256").update(bytes).digest("hex");
      const isRepeated = held.get(name)?.hash === hash;
      held.set(name, { version: version ?? "", hash });
      return { typeUrl, name, hash, bytes, isRepeated };
    });
    for (const name of removed) held.delete(name);
    const answered = this.#answered.get(typeUrl) ?? new Set<string>();
    this.#answered.set(typeUrl, answered);
    for (const name of [...received.map((each) => each.name), ...removed]) answered.add(name);
    this.#send({ typeUrl, responseNonce: response.nonce });
    const acknowledgedAt = process.hrtime.bigint();
    this.#follow(typeUrl, received);
    this.#events.arrived({
      typeUrl,
      received,
      removed,
      bytes: message.length,
      acknowledgedAt,
    });
  }

  /** What new clusters and listeners name has to be asked for. */
  #follow(typeUrl: string, received: readonly Received[]): void {
    if (typeUrl === CLUSTER) this.#subscribe(ENDPOINTS, received.flatMap(endpointsOf));
    if (typeUrl === LISTENER) this.#subscribe(ROUTE, [...new Set(received.flatMap(routesOf))]);
  }

  #end(why: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#grpc.close();
    this.#events.ended(why);
  }
}

function endpointsOf({ bytes }: Received): readonly string[] {
  const cluster = envoy.config.cluster.v3.Cluster.decode(bytes);
  return cluster.type === EDS ? [cluster.edsClusterConfig?.serviceName || cluster.name] : [];
}

function routesOf({ bytes }: Received): readonly string[] {
  const listener = envoy.config.listener.v3.Listener.decode(bytes);
  const chains = [...listener.filterChains, ...(listener.defaultFilterChain ? [listener.defaultFilterChain] : [])];
  return chains
    .flatMap(({ filters }) => filters ?? [])
    .filter(({ typedConfig }) => typedConfig?.type_url === HTTP_FILTER)
    .map(({ typedConfig }) => HttpConnectionManager.decode(typedConfig?.value ?? new Uint8Array()))
    .flatMap(({ rds }) => (rds?.routeConfigName ? [rds.routeConfigName] : []));
}

/** Addresses of an encoded endpoint resource, sorted. */
export function addressesOf(bytes: Uint8Array): readonly string[] {
  return envoy.config.endpoint.v3.ClusterLoadAssignment.decode(bytes)
    .endpoints.flatMap(({ lbEndpoints }) => lbEndpoints ?? [])
    .map(({ endpoint }) => endpoint?.address?.socketAddress?.address ?? "")
    .sort();
}
