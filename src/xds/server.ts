import { promisify } from "node:util";
import {
  type ChannelOptions,
  logVerbosity,
  Server,
  type ServerDuplexStream,
  type ServiceDefinition,
  setLogVerbosity,
  status,
} from "@grpc/grpc-js";
import type { Clock, Log, Metrics } from "../lib/mod.ts";
import { type ClientCertificate, readClientCertificate } from "./client-certificate.ts";
import { PREFIX_BYTES } from "./messages.ts";
import type { DeliveryObserver, StreamInfo } from "./observer.ts";
import { DEFAULT_STREAM_LIMITS } from "./protocol.ts";
import type { Peer, TableSource } from "./resource.ts";
import { RenewableCredentials, type XdsServerCredentials } from "./server-credentials.ts";
import { openSessions, type SessionLimits, type Sessions } from "./sessions.ts";
import type { AcceptStream, StreamTransport } from "./transport.ts";
import { xdsMetrics } from "./xds-metrics.ts";

/** Bounds of the server and of each stream. */
export interface XdsServerLimits extends SessionLimits {
  /** A larger request ends its stream before it is decoded. */
  readonly requestBytesMax: number;
  readonly streamsPerConnectionMax: number;
}

const DEFAULT_SERVER_LIMITS: XdsServerLimits = {
  ...DEFAULT_STREAM_LIMITS,
  streamsMax: 20_000,
  streamsPerPeerMax: 4,
  firstRequestMs: 10_000,
  quietMs: 100,
  requestBytesMax: 4 * 1024 * 1024,
  streamsPerConnectionMax: 8,
};

/** Pings that find out that a peer is gone: within 40 s. */
const KEEPALIVE_MS = 30_000;
const KEEPALIVE_TIMEOUT_MS = 10_000;
/** A connection without a stream is closed after this. */
const IDLE_CONNECTION_MS = 60_000;
/** How long `close` waits for the ends of streams to reach their clients. */
const DRAIN_MS = 1_000;

export interface XdsServerOptions {
  /** What to listen on: `HOST:PORT`, `[IPV6]:PORT` or `unix:PATH`. Port 0 takes a free one. */
  readonly addresses: readonly string[];
  readonly credentials: XdsServerCredentials;
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

/** Serves delta and state-of-the-world ADS. Throws {@link XdsListenError}; nothing is left open then. */
export async function startXdsServer(options: XdsServerOptions): Promise<XdsServer> {
  // The library would write to stderr what is reported here as well.
  setLogVerbosity(logVerbosity.NONE);
  const limits = { ...DEFAULT_SERVER_LIMITS, ...options.limits };
  const log = options.log.child("xds");
  const sessions = openSessions({ ...options, log, limits, metrics: xdsMetrics(options.metrics) });
  const server = new Server(channelOptions(limits));
  server.addService(SERVICE, {
    deltaAggregatedResources: (call: Call) => serve(sessions.open, "delta", call),
    streamAggregatedResources: (call: Call) => serve(sessions.open, "sotw", call),
  });
  const credentials = new RenewableCredentials(options.credentials);
  const addresses: string[] = [];
  for (const address of options.addresses) {
    try {
      const port = await promisify(server.bindAsync.bind(server))(address, credentials);
      addresses.push(address.startsWith("unix:") ? address : address.replace(/:\d+$/, `:${port}`));
    } catch (error) {
      server.forceShutdown();
      throw new XdsListenError(address, error);
    }
  }
  return {
    addresses,
    renewCredentials: (renewed) => credentials.renew(renewed),
    endPeer: (uuid, reason) => sessions.endPeer(uuid, reason),
    close: () => closeServer(server, sessions, options.clock),
  };
}

type Call = ServerDuplexStream<Buffer, Buffer>;

const AGGREGATED_DISCOVERY = "/envoy.service.discovery.v3.AggregatedDiscoveryService";
const asItIs = (bytes: Buffer): Buffer => bytes;
const streaming = {
  requestStream: true,
  responseStream: true,
  requestSerialize: asItIs,
  requestDeserialize: asItIs,
  responseSerialize: asItIs,
  responseDeserialize: asItIs,
} as const;
const SERVICE: ServiceDefinition = {
  deltaAggregatedResources: { path: `${AGGREGATED_DISCOVERY}/DeltaAggregatedResources`, ...streaming },
  streamAggregatedResources: { path: `${AGGREGATED_DISCOVERY}/StreamAggregatedResources`, ...streaming },
};

function channelOptions(limits: XdsServerLimits): ChannelOptions {
  return {
    "grpc.max_receive_message_length": limits.requestBytesMax,
    "grpc.max_send_message_length": -1,
    "grpc.max_concurrent_streams": limits.streamsPerConnectionMax,
    "grpc.keepalive_time_ms": KEEPALIVE_MS,
    "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MS,
    "grpc.max_connection_idle_ms": IDLE_CONNECTION_MS,
    "grpc.enable_channelz": 0,
  };
}

function serve(accept: AcceptStream, protocol: StreamInfo["protocol"], call: Call): void {
  // A stream that breaks reports an error and then its close, which is what the session is told.
  call.on("error", () => undefined);
  const peerCertificate = call.getAuthContext().sslPeerCertificate;
  const certificate = peerCertificate === undefined ? undefined : readClientCertificate(peerCertificate);
  const session = accept(protocol, certificate, grpcTransport(call));
  if (session === undefined) {
    call.resume();
    return;
  }
  call.on("data", (bytes: Buffer) => session.receive(bytes));
  call.on("drain", () => session.drained());
  call.on("end", () => session.halfClosed());
  call.on("cancelled", () => session.closed());
  call.on("close", () => session.closed());
}

function grpcTransport(call: Call): StreamTransport {
  return {
    // The library puts its own prefix before a message.
    send: (prefixed) => call.write(prefixed.subarray(PREFIX_BYTES)),
    end: (code, message) => void call.emit("error", { code: status[code], details: message }),
  };
}

/** Gives clients a moment to hear that their streams have ended, then closes what is left. */
async function closeServer(server: Server, sessions: Sessions, clock: Clock): Promise<void> {
  sessions.endAll("the control plane is stopping");
  await new Promise<void>((resolve) => {
    const cancel = clock.after(DRAIN_MS, () => {
      server.forceShutdown();
      resolve();
    });
    server.tryShutdown(() => {
      cancel();
      resolve();
    });
  });
}
