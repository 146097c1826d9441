/** A minimal delta ADS client. It shares nothing with the server but the messages. */
import { Client, type ClientDuplexStream, credentials, type StatusObject } from "@grpc/grpc-js";
import { envoy } from "../../proto/gen/discovery.js";

const { DeltaDiscoveryRequest, DeltaDiscoveryResponse } = envoy.service.discovery.v3;
const METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";

type Request = envoy.service.discovery.v3.DeltaDiscoveryRequest.$Properties;
export type DeltaResponse = envoy.service.discovery.v3.DeltaDiscoveryResponse;

export interface ClientCredentials {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly rootsPem: string;
}

export interface DeltaClientOptions {
  /** `HOST:PORT` or `unix:PATH`. */
  readonly address: string;
  /** Undefined: no client certificate is shown; `rootsPem` alone verifies the server. */
  readonly credentials: ClientCredentials | { readonly rootsPem: string };
  /** Sent with the first request; none when undefined. */
  readonly nodeId?: string;
  /** Called for every response instead of keeping it for `next`. */
  readonly onResponse?: (response: DeltaResponse, bytes: number) => void;
}

/** How the server, or the connection, ended the stream. */
export interface StreamEnding {
  readonly code: number;
  readonly details: string;
}

export interface DeltaClient {
  /** Sends a request; the node goes with the first one. */
  send(request: Request): void;
  /** Sends bytes as a message. */
  sendRaw(bytes: Buffer): void;
  ack(response: DeltaResponse): void;
  nack(response: DeltaResponse, message: string): void;
  /** The next response. Rejects when the stream ends before there is one. */
  next(): Promise<DeltaResponse>;
  /** Responses that came and were not asked for yet. */
  readonly waiting: readonly DeltaResponse[];
  /** Resolves when the stream is over. */
  readonly ended: Promise<StreamEnding>;
  /** Stops reading, so that the server meets backpressure. */
  pause(): void;
  resume(): void;
  close(): void;
}

export function connectDelta(options: DeltaClientOptions): DeltaClient {
  const roots = Buffer.from(options.credentials.rootsPem);
  const tls =
    "privateKeyPem" in options.credentials
      ? credentials.createSsl(
          roots,
          Buffer.from(options.credentials.privateKeyPem),
          Buffer.from(options.credentials.certificatePem),
        )
      : credentials.createSsl(roots);
  const client = new Client(options.address, tls, {
    "grpc.ssl_target_name_override": "localhost",
    "grpc.default_authority": "localhost",
    "grpc.max_receive_message_length": -1,
    "grpc.use_local_subchannel_pool": 1,
  });
  const asItIs = (bytes: Buffer) => bytes;
  const call: ClientDuplexStream<Buffer, Buffer> = client.makeBidiStreamRequest(METHOD, asItIs, asItIs);
  return deltaClient(options, client, call);
}

function deltaClient(
  options: DeltaClientOptions,
  client: Client,
  call: ClientDuplexStream<Buffer, Buffer>,
): DeltaClient {
  const waiting: DeltaResponse[] = [];
  const askers: PromiseWithResolvers<DeltaResponse>[] = [];
  const ended = Promise.withResolvers<StreamEnding>();
  let isFirst = true;
  call.on("data", (bytes: Buffer) => {
    const response = DeltaDiscoveryResponse.decode(bytes);
    if (options.onResponse !== undefined) options.onResponse(response, bytes.length);
    else if (askers.length > 0) askers.shift()?.resolve(response);
    else waiting.push(response);
  });
  // The status says the same and more.
  call.on("error", () => undefined);
  call.on("status", ({ code, details }: StatusObject) => {
    ended.resolve({ code, details });
    for (const asker of askers.splice(0)) asker.reject(new Error(`the stream ended with status ${code}: ${details}`));
    client.close();
  });
  const send = (request: Request) => {
    const node = isFirst && options.nodeId !== undefined ? { node: { id: options.nodeId } } : {};
    isFirst = false;
    call.write(Buffer.from(DeltaDiscoveryRequest.encode({ ...node, ...request }).finish()));
  };
  return {
    send,
    sendRaw: (bytes) => void call.write(bytes),
    ack: ({ typeUrl, nonce }) => send({ typeUrl, responseNonce: nonce }),
    nack: ({ typeUrl, nonce }, message) => send({ typeUrl, responseNonce: nonce, errorDetail: { code: 13, message } }),
    next() {
      const response = waiting.shift();
      if (response !== undefined) return Promise.resolve(response);
      const asker = Promise.withResolvers<DeltaResponse>();
      askers.push(asker);
      return asker.promise;
    },
    waiting,
    ended: ended.promise,
    pause: () => void call.pause(),
    resume: () => void call.resume(),
    close: () => call.cancel(),
  };
}
