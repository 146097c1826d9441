import { promisify } from "node:util";
import {
  type ChannelOptions,
  logVerbosity,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServiceDefinition,
  setLogVerbosity,
  status,
} from "@grpc/grpc-js";
import { tlsContext, type XdsServerCredentials } from "../admission/server-credentials.ts";
import { readClientCertificate } from "../client-certificate.ts";
import type { StreamInfo } from "../observer.ts";
import {
  type AcceptStream,
  PREFIX_BYTES,
  type StreamTransport,
  type Transport,
  type TransportLimits,
} from "../transport.ts";
import type { TransportOptions } from "./tls-transport.ts";

/** Pings that find out that a peer is gone: within 40 s. */
const KEEPALIVE_MS = 30_000;
const KEEPALIVE_TIMEOUT_MS = 10_000;
/** A connection without a stream is closed after this. */
const IDLE_CONNECTION_MS = 60_000;
/** How long `close` waits for the ends of streams to reach their clients. */
const DRAIN_MS = 1_000;

/**
 * gRPC as its maintainers carry it: the slowest here, and what the others are tested against. It takes every handshake as
 * it comes, and its TLS sessions are not resumed by another process.
 */
export function grpcJsTransport({ accept, credentials, limits, clock }: TransportOptions): Transport {
  // The library would write to stderr what is reported here as well.
  setLogVerbosity(logVerbosity.NONE);
  const server = new Server(channelOptions(limits));
  server.addService(SERVICE, {
    deltaAggregatedResources: (call: Call) => serve(accept, "delta", call),
    streamAggregatedResources: (call: Call) => serve(accept, "sotw", call),
  });
  const renewable = new RenewableCredentials(credentials);
  return {
    async listen(address) {
      const port = await promisify(server.bindAsync.bind(server))(address, renewable);
      return address.startsWith("unix:") ? address : address.replace(/:\d+$/, `:${port}`);
    },
    renewCredentials: (renewed) => renewable.renew(renewed),
    renewTicketKeys: () => undefined,
    /** Gives clients a moment to hear that their streams have ended, then closes what is left. */
    async close() {
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
    },
  };
}

/** Mutual TLS for grpc-js that can be renewed while the server runs. */
class RenewableCredentials extends ServerCredentials {
  constructor(credentials: XdsServerCredentials) {
    super({ requestCert: true, rejectUnauthorized: true }, tlsContext(credentials));
  }

  renew(credentials: XdsServerCredentials): void {
    this.updateSecureContextOptions(tlsContext(credentials));
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
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

function channelOptions(limits: TransportLimits): ChannelOptions {
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
    proven: () => undefined,
    end: (code, message) => void call.emit("error", { code: status[code], details: message }),
  };
}
