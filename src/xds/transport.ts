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
  | "UNAVAILABLE";

/** The client's end of a stream, whatever carries it. */
export interface StreamTransport {
  /**
   * Sends one message with its gRPC prefix: a byte 0, the length in four bytes, the message. The buffer may be shared with
   * other streams and must not be changed. Messages given in one turn go out together. False: enough is under way, and
   * the handler's `drained` will say when there is room again.
   */
  send(prefixed: Buffer): boolean;
  /** Ends the stream with a status, after what was sent. Nothing is called on the handler after it. */
  end(code: EndCode, message: string): void;
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
}

/** Takes in a stream that a client opened. Undefined: refused, and ended through `transport` already. */
export type AcceptStream = (
  protocol: StreamInfo["protocol"],
  certificate: ClientCertificate | undefined,
  transport: StreamTransport,
) => StreamHandler | undefined;
