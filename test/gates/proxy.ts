/**
 * A proxy at the other end of an in-memory stream: it asks as Envoy does, acknowledges everything, and judges by the
 * bytes of messages what it was sent. It shares nothing with the server but the protos.
 */
import { createHash } from "node:crypto";
import type { WorldPod } from "../../bench/world.ts";
import { envoy } from "../../proto/gen/envoy.js";
import type { AcceptStream, StreamHandler } from "../../src/xds/transport.ts";

const { DeltaDiscoveryRequest, DeltaDiscoveryResponse } = envoy.service.discovery.v3;
const { HttpConnectionManager } = envoy.extensions.filters.network.http_connection_manager.v3;

const CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
const ENDPOINTS = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
const LISTENER = "type.googleapis.com/envoy.config.listener.v3.Listener";
const ROUTE = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";
const SECRET = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";
const HTTP_FILTER =
  "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const EDS = 3;
/** gRPC's prefix of a message. */
const PREFIX_BYTES = 5;

/** What arrived and what was said, since the last time somebody asked. */
export interface Traffic {
  responses: number;
  /** Requests, acknowledgements among them. */
  requests: number;
  resources: number;
  /** Resources whose very bytes the proxy had, and did not need again. */
  spurious: number;
  /** Endpoints that the proxy had and needs again, because their cluster was updated. */
  required: number;
  removed: number;
  /** Of response messages, without the nonces: those grow with the server's age. */
  bytes: number;
  /** Of all requests, without the nonces. */
  requestBytes: number;
}

export function noTraffic(): Traffic {
  return {
    responses: 0,
    requests: 0,
    resources: 0,
    spurious: 0,
    required: 0,
    removed: 0,
    bytes: 0,
    requestBytes: 0,
  };
}

interface Held {
  readonly version: string;
  readonly hash: string;
}

type Request = envoy.service.discovery.v3.DeltaDiscoveryRequest.$Properties;

export class CountingProxy {
  readonly pod: WorldPod;
  readonly #held = new Map<string, Map<string, Held>>();
  readonly #subscribed = new Map<string, Set<string>>();
  /** Clusters that were updated, and whose endpoints did not follow yet. */
  readonly #warming = new Set<string>();
  #handler: StreamHandler | undefined;
  #traffic = noTraffic();
  #end: string | undefined;

  constructor(pod: WorldPod) {
    this.pod = pod;
  }

  /** Why the server ended the stream; undefined while it has not. */
  get end(): string | undefined {
    return this.#end;
  }

  /** Opens a stream in place of the one before, with the versions of what it holds unless it is to forget them. */
  connect(accept: AcceptStream, options: { readonly isCold?: boolean } = {}): void {
    this.disconnect();
    if (options.isCold === true) this.#held.clear();
    const names = new Map([...this.#subscribed].map(([typeUrl, set]) => [typeUrl, [...set]]));
    this.#subscribed.clear();
    const certificate = {
      commonName: this.pod.uuid,
      dnsNames: [],
      uris: [],
      serialNumber: "01",
      notAfterMs: Number.POSITIVE_INFINITY,
    };
    this.#handler = accept("delta", certificate, {
      send: (prefixed) => {
        // As on a real stream, the answer is not part of the call that sent.
        const message = prefixed.subarray(PREFIX_BYTES);
        queueMicrotask(() => this.#receive(message));
        return true;
      },
      proven: () => undefined,
      end: (code, message) => {
        this.#end = `${code} ${message}`;
      },
    });
    for (const typeUrl of [CLUSTER, LISTENER]) this.#subscribe(typeUrl, ["*"]);
    if (options.isCold !== true) {
      for (const typeUrl of [ENDPOINTS, ROUTE]) this.#subscribe(typeUrl, names.get(typeUrl) ?? []);
    }
    this.#subscribe(SECRET, ["service-cert", "root-cert"]);
  }

  disconnect(): void {
    this.#handler?.closed();
    this.#handler = undefined;
  }

  take(): Traffic {
    const traffic = this.#traffic;
    this.#traffic = noTraffic();
    return traffic;
  }

  /** `type name hash` of everything that it holds. */
  content(): readonly string[] {
    return [...this.#held]
      .flatMap(([typeUrl, held]) => [...held].map(([name, { hash }]) => `${typeUrl} ${name} ${hash}`))
      .sort();
  }

  #subscribe(typeUrl: string, names: readonly string[]): void {
    const known = this.#subscribed.get(typeUrl);
    const added = names.filter((name) => known?.has(name) !== true);
    if (added.length === 0) return;
    this.#subscribed.set(typeUrl, new Set([...(known ?? []), ...added]));
    const held = known === undefined ? [...(this.#held.get(typeUrl) ?? [])] : [];
    this.#send({
      typeUrl,
      resourceNamesSubscribe: added,
      initialResourceVersions: Object.fromEntries(held.map(([name, { version }]) => [name, version])),
    });
  }

  #send(request: Request): void {
    const bytes = DeltaDiscoveryRequest.encode(request).finish();
    this.#traffic.requests += 1;
    this.#traffic.requestBytes += bytes.length - Buffer.byteLength(request.responseNonce ?? "");
    this.#handler?.receive(bytes);
  }

  #receive(message: Uint8Array): void {
    const response = DeltaDiscoveryResponse.decode(message);
    const typeUrl = response.typeUrl ?? "";
    const removed = response.removedResources ?? [];
    this.#traffic.responses += 1;
    this.#traffic.bytes += message.length - Buffer.byteLength(response.nonce ?? "");
    this.#traffic.removed += removed.length;
    let held = this.#held.get(typeUrl);
    if (held === undefined) {
      held = new Map();
      this.#held.set(typeUrl, held);
    }
    const fresh: Uint8Array[] = [];
    for (const { name: given, version, resource } of response.resources ?? []) {
      const name = given ?? "";
      const bytes = resource?.value ?? new Uint8Array();
      const hash = createHash("sha256").update(bytes).digest("hex");
      this.#judge(typeUrl, name, held.get(name)?.hash === hash);
      held.set(name, { version: version ?? "", hash });
      fresh.push(bytes);
    }
    for (const name of removed) held.delete(name);
    this.#send({ typeUrl, responseNonce: response.nonce ?? "" });
    if (typeUrl === CLUSTER) this.#subscribe(ENDPOINTS, fresh.flatMap(endpointsOf));
    if (typeUrl === LISTENER) this.#subscribe(ROUTE, [...new Set(fresh.flatMap(routesOf))]);
  }

  #judge(typeUrl: string, name: string, isRepeated: boolean): void {
    this.#traffic.resources += 1;
    if (typeUrl === CLUSTER) this.#warming.add(name);
    const wasNeeded = typeUrl === ENDPOINTS && this.#warming.delete(name);
    if (!isRepeated) return;
    if (wasNeeded) this.#traffic.required += 1;
    else this.#traffic.spurious += 1;
  }
}

function endpointsOf(bytes: Uint8Array): readonly string[] {
  const cluster = envoy.config.cluster.v3.Cluster.decode(bytes);
  return cluster.type === EDS ? [cluster.edsClusterConfig?.serviceName || cluster.name] : [];
}

function routesOf(bytes: Uint8Array): readonly string[] {
  const listener = envoy.config.listener.v3.Listener.decode(bytes);
  const chains = [...listener.filterChains, ...(listener.defaultFilterChain ? [listener.defaultFilterChain] : [])];
  return chains
    .flatMap(({ filters }) => filters ?? [])
    .filter(({ typedConfig }) => typedConfig?.type_url === HTTP_FILTER)
    .map(({ typedConfig }) => HttpConnectionManager.decode(typedConfig?.value ?? new Uint8Array()))
    .flatMap(({ rds }) => (rds?.routeConfigName ? [rds.routeConfigName] : []));
}
