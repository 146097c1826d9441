import type { Clock, Log, Metrics } from "../lib/mod.ts";
import type { XdsServerCredentials } from "./admission/server-credentials.ts";
import type { ClientCertificate } from "./client-certificate.ts";
import type { DeliveryObserver } from "./observer.ts";
import { DEFAULT_STREAM_LIMITS } from "./protocol/protocol.ts";
import type { Peer, TableSource } from "./resource.ts";
import { rateLimitedLog } from "./sessions/rate-limited-log.ts";
import { openSessions, type SessionLimits } from "./sessions/sessions.ts";
import { xdsMetrics } from "./sessions/xds-metrics.ts";
import { type StreamThreads, StreamThreadsError, streamThreadsTransport } from "./threads/stream-threads.ts";
import type { Transport, TransportLimits } from "./transport.ts";
import { framedTransport } from "./transports/framed-transport.ts";
import { http2Transport } from "./transports/http2-transport.ts";
import type { TransportOptions } from "./transports/tls-transport.ts";

/** What may carry the streams; they differ in speed and memory alone. */
export const XDS_TRANSPORTS = ["framed", "http2", "grpc-js"] as const;
export type XdsTransport = (typeof XDS_TRANSPORTS)[number];

/** Bounds of the server and of each stream. */
export interface XdsServerLimits extends SessionLimits, TransportLimits {}

const DEFAULT_SERVER_LIMITS: XdsServerLimits = {
  ...DEFAULT_STREAM_LIMITS,
  streamsMax: 20_000,
  streamsPerPeerMax: 4,
  firstRequestMs: 10_000,
  quietMs: 100,
  requestBytesMax: 4 * 1024 * 1024,
  // A connection is one proxy's: another stream would only end one of these, at many times the cost of a refusal.
  streamsPerConnectionMax: 4,
  connectionsMax: 24_000,
};

export interface XdsServerOptions {
  /** What to listen on: `HOST:PORT`, `[IPV6]:PORT` or `unix:PATH`. Port 0 takes a free one. */
  readonly addresses: readonly string[];
  readonly credentials: XdsServerCredentials;
  /** 48 bytes that seal TLS session tickets, so that another process may resume them; random ones when undefined. */
  readonly ticketKeys?: Buffer;
  /** `framed` when undefined. */
  readonly transport?: XdsTransport;
  /** Threads that carry the TCP connections, with the `framed` transport alone; undefined: the thread that asks does. */
  readonly streamThreads?: StreamThreads;
  /**
   * Which proxy the holder of a client certificate is. TLS has verified the certificate against the CA and that the
   * client has its key; nothing that the client says beside it counts.
   */
  readonly authenticate: (certificate: ClientCertificate) => Peer | { readonly refusal: string };
  readonly tables: TableSource;
  readonly observe: DeliveryObserver;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly limits?: Partial<XdsServerLimits>;
}

export interface XdsServer {
  /** What it listens on, in the order of `addresses`, with the ports that were taken. */
  readonly addresses: readonly string[];
  /** Renews the server's certificate; new connections see it. */
  renewCredentials(credentials: XdsServerCredentials): void;
  /** TLS sessions that were begun under the keys before are not resumed any more. */
  renewTicketKeys(keys: Buffer): void;
  /** Ends the streams of a proxy that may no longer be served, e.g. because its pod is gone. */
  endPeer(uuid: string, reason: string): void;
  /** Ends all streams with UNAVAILABLE, stops listening, and closes what does not go by itself. */
  close(): Promise<void>;
}

/** An address cannot be listened on. */
export class XdsListenError extends Error {
  override readonly name = "XdsListenError";
  readonly code = "xds-listen";
  readonly address: string;

  constructor(address: string, cause: unknown) {
    // grpc-js wraps the system's error into words about its own name resolution.
    const words = cause instanceof Error ? cause.message : String(cause);
    const reason = words.includes("EADDRINUSE") ? "the port is in use" : (/\[(.+)\]$/.exec(words)?.[1] ?? words);
    super(`cannot listen for proxies on ${address}: ${reason}`, { cause });
    this.address = address;
  }
}

/** Serves delta and state-of-the-world ADS. Throws {@link XdsListenError} or {@link StreamThreadsError}; nothing is left open then. */
export async function startXdsServer(options: XdsServerOptions): Promise<XdsServer> {
  const limits = { ...DEFAULT_SERVER_LIMITS, ...options.limits };
  const log = options.log.child("xds");
  const peersLog = rateLimitedLog(log, options.clock);
  const sessions = openSessions({
    ...options,
    log: peersLog,
    limits,
    metrics: xdsMetrics(options.metrics),
  });
  const onHeldBack = (address: string, cause: string) =>
    peersLog.warn(
      "connections from an address come to nothing: while many do, its next ones wait; look at what connects from there, and at its certificate",
      { address, cause },
    );
  const transportOptions = { ...options, log, accept: sessions.open, told: sessions.told, onHeldBack, limits };
  const transport =
    options.streamThreads === undefined
      ? await openTransport(options.transport ?? "framed", transportOptions)
      : streamThreadsTransport({ ...transportOptions, threads: options.streamThreads });
  const addresses: string[] = [];
  for (const address of options.addresses) {
    try {
      addresses.push(await transport.listen(address));
    } catch (error) {
      await transport.close();
      throw error instanceof StreamThreadsError ? error : new XdsListenError(address, error);
    }
  }
  return {
    addresses,
    renewCredentials: (renewed) => transport.renewCredentials(renewed),
    renewTicketKeys: (keys) => transport.renewTicketKeys(keys),
    endPeer: (uuid, reason) => sessions.endPeer(uuid, reason),
    async close() {
      await sessions.endAll("the control plane is stopping");
      await transport.close();
    },
  };
}

async function openTransport(transport: XdsTransport, options: TransportOptions): Promise<Transport> {
  if (transport === "framed") return framedTransport(options);
  if (transport === "http2") return http2Transport(options);
  // Loaded when asked for: it brings much code along.
  return (await import("./transports/grpc-js-transport.ts")).grpcJsTransport(options);
}
