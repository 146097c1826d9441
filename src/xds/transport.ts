import type { Metrics } from "../lib/mod.ts";
import type { XdsServerCredentials } from "./admission/server-credentials.ts";
import type { ClientCertificate } from "./client-certificate.ts";
import type { StreamInfo } from "./observer.ts";

/** Names of gRPC statuses that a server ends a stream with. */
export type EndCode =
  | "ABORTED"
  | "DEADLINE_EXCEEDED"
  | "INVALID_ARGUMENT"
  | "INTERNAL"
  | "PERMISSION_DENIED"
  | "RESOURCE_EXHAUSTED"
  | "UNAUTHENTICATED"
  | "UNIMPLEMENTED"
  | "UNAVAILABLE";

/** What gRPC puts before each message: a byte 0 for "not compressed", and the length in four bytes. */
export const PREFIX_BYTES = 5;

/** The client's end of a stream, whatever carries it. */
export interface StreamTransport {
  /**
   * Sends one message with its gRPC prefix ({@link PREFIX_BYTES}). The buffer may be shared with other streams and must not be
   * changed. Messages given in one turn go out together. False: enough is under way, and
   * the handler's `drained` will say when there is room again.
   */
  send(prefixed: Buffer): boolean;
  /** The client has acknowledged or refused a response: it speaks xDS, and its connection is worth having. Once for each stream. */
  proven(): void;
  /**
   * Ends the stream with a status, after what was sent. Nothing is called on the handler after it. `isOurFault`: whatever the
   * status says, the client did nothing wrong.
   */
  end(code: EndCode, message: string, isOurFault?: boolean): void;
}

/** What a transport tells the server about one stream. */
export interface StreamHandler {
  /** One whole message without its prefix; valid during the call only. */
  receive(message: Uint8Array): void;
  /** The transport has room again after `send` said false. */
  drained(): void;
  /** The client has closed its side: it will send no more. */
  halfClosed(): void;
  /** The stream is gone. */
  closed(): void;
  /** Instead of `closed`: the client sent what cannot be taken; the stream is over, and the client was told so. */
  failed(code: EndCode, message: string): void;
}

/** Takes in a stream that a client opened. Undefined: refused, and ended through `transport` already. */
export type AcceptStream = (
  protocol: StreamInfo["protocol"],
  certificate: ClientCertificate | undefined,
  transport: StreamTransport,
) => StreamHandler | undefined;

/** What carries the streams of a server: its sockets, TLS, HTTP/2 and gRPC. */
export interface Transport {
  /** Listens on `HOST:PORT`, `[IPV6]:PORT` or `unix:PATH`, and says where: port 0 takes a free one. Rejects with the system's error. */
  listen(address: string): Promise<string>;
  /** New connections get the new certificate, open ones stay as they are. */
  renewCredentials(credentials: XdsServerCredentials): void;
  /** TLS sessions that were begun under other keys are not resumed any more. */
  renewTicketKeys(keys: Buffer): void;
  /** Takes no more connections, lets open ones end for a while, and closes what is left. */
  close(): Promise<void>;
}

/** What a transport declares of metrics. */
export type TransportMetrics = Pick<Metrics, "counter" | "gauge" | "observed">;

/** Bounds of a transport. */
export interface TransportLimits {
  /** A larger request ends its stream before it is decoded. */
  readonly requestBytesMax: number;
  /** Most names in a request. */
  readonly namesMax: number;
  readonly streamsPerConnectionMax: number;
  /** Connections open at once, those that wait for their handshake included. */
  readonly connectionsMax: number;
}
