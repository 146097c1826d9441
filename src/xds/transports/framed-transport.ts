import type { TLSSocket } from "node:tls";
import {
  createHttp2Connection,
  DataFraming,
  DEFAULT_HTTP2_LIMITS,
  type Http2Connection,
  type Http2Limits,
  type Http2Request,
  type Http2Stream,
  type Http2StreamHandler,
} from "../../http2/mod.ts";
import { nextTurn } from "../../platform/mod.ts";
import type { Conduct } from "../admission/conduct.ts";
import type { ClientCertificate } from "../client-certificate.ts";
import type { Transport } from "../transport.ts";
import type { KeptConnection } from "./connection-keeper.ts";
import { ConnectionTeardown } from "./connection-teardown.ts";
import {
  type GrpcCarrier,
  type GrpcStream,
  type GrpcStreamOptions,
  grpcStreamOptions,
  type Headers,
  openGrpcStream,
} from "./grpc-stream.ts";
import { readSocket } from "./socket-reader.ts";
import { SocketWriter, WriteTurn } from "./socket-writer.ts";
import { type TransportOptions, tlsTransport } from "./tls-transport.ts";

/** gRPC on HTTP/2 frames of our own: what goes to thousands of streams is framed once, and costs each of them one write. */
export function framedTransport(options: TransportOptions): Transport {
  const framing = new DataFraming();
  const errors = options.metrics.counter("osm_xds_connection_errors_total", "Connections whose client broke HTTP/2");
  const teardown = new ConnectionTeardown((action) => void nextTurn().then(action));
  const shared = {
    framing,
    teardown,
    writes: new WriteTurn(),
    now: options.clock.monotonic,
    streamOptions: grpcStreamOptions(options),
    http2Limits: { ...DEFAULT_HTTP2_LIMITS, concurrentStreams: options.limits.streamsPerConnectionMax },
    onError: () => errors.add(),
  };
  return tlsTransport(options, (...connection) => new FramedConnection(...connection, shared));
}

/** What the connections of a server have in common. */
interface Shared {
  readonly framing: DataFraming;
  readonly teardown: ConnectionTeardown;
  readonly writes: WriteTurn;
  readonly now: () => number;
  readonly streamOptions: GrpcStreamOptions;
  readonly http2Limits: Http2Limits;
  readonly onError: () => void;
}

/** So much of one connection is read before others have their turn: a client may have sent thousands of small requests. */
const READ_BYTES = 64 * 1024;
const PING_PAYLOAD = Buffer.from("osm-ping");

const ignore = () => undefined;
const NO_STREAMS: readonly FramedStream[] = [];

class FramedConnection implements KeptConnection {
  hasHadStream = false;
  readonly writer: SocketWriter;
  readonly conduct: Conduct;
  #isHeard = true;
  readonly #socket: TLSSocket;
  readonly #certificate: ClientCertificate;
  readonly #shared: Shared;
  readonly #http2: Http2Connection;
  /** Nearly always one: a set of one costs ten times as much. */
  #streams = NO_STREAMS;
  #resting = 0;
  #unread = READ_BYTES;
  #isClosing = false;

  constructor(socket: TLSSocket, certificate: ClientCertificate, conduct: Conduct, shared: Shared) {
    this.conduct = conduct;
    this.#socket = socket;
    this.#certificate = certificate;
    this.#shared = shared;
    this.writer = new SocketWriter(socket, shared.writes, () => {
      for (const stream of this.#streams) stream.drained();
    });
    this.#http2 = createHttp2Connection({
      limits: shared.http2Limits,
      framing: shared.framing,
      now: shared.now,
      write: this.writer.write,
      onRequest: (request) => this.#open(request),
      onStreamError: ignore,
      onError: ({ code }) => {
        conduct.broke(`HTTP/2: ${code}`);
        shared.onError();
        this.#endSoon();
      },
    });
    const receive = (bytes: Buffer) => {
      this.#isHeard = true;
      this.#http2.receive(bytes);
      this.#unread -= bytes.length;
      if (this.#unread <= 0) this.#giveWay();
    };
    readSocket(socket, receive, shared.teardown.end);
    socket.once("close", () => this.#http2.close());
    shared.teardown.watch(socket);
  }

  get isHeard(): boolean {
    return this.#isHeard || this.#resting > 0;
  }

  set isHeard(isHeard: boolean) {
    this.#isHeard = isHeard;
  }

  get openStreams(): number {
    return this.#http2.streamCount;
  }

  ping(): void {
    this.#http2.ping(PING_PAYLOAD);
  }

  close(): void {
    if (this.#isClosing) {
      this.destroy();
      return;
    }
    this.#isClosing = true;
    this.#http2.goAway();
    if (this.#http2.streamCount === 0) this.#endSoon();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** After what is written in this turn has been given to the socket. */
  #endSoon(): void {
    this.writer.whenEmpty(() => this.#socket.destroySoon());
  }

  #open({ method, path, headers, stream }: Http2Request): Http2StreamHandler | undefined {
    this.hasHadStream = true;
    const head = { method, path, contentType: headers.get("content-type"), timeout: headers.get("grpc-timeout") };
    const framed = new FramedStream(this, stream);
    const grpc = openGrpcStream(head, this.#certificate, framed, this.#shared.streamOptions);
    if (grpc === undefined) return undefined;
    framed.grpc = grpc;
    this.#streams = this.#streams.concat(framed);
    return framed;
  }

  /** A stream of it is over. */
  forget(stream: FramedStream): void {
    this.#streams = this.#streams.filter((other) => other !== stream);
  }

  /** To be called when the stream has told everybody that it is over. */
  streamIsOver(): void {
    if (this.#isClosing && this.#http2.streamCount === 0) this.#endSoon();
  }

  #giveWay(): void {
    this.#unread = READ_BYTES;
    this.rest(1);
    void nextTurn().then(() => this.rest(-1));
  }

  /** A connection is read while none of its streams rests. */
  rest(change: 1 | -1): void {
    this.#resting += change;
    if (this.#resting === 0) this.#socket.resume();
    else this.#socket.pause();
  }
}

/** What HTTP/2 and gRPC are to each other on one stream. A class, because thousands of them share its functions. */
class FramedStream implements Http2StreamHandler, GrpcCarrier {
  grpc: GrpcStream | undefined;
  readonly #connection: FramedConnection;
  readonly #http2: Http2Stream;

  constructor(connection: FramedConnection, http2: Http2Stream) {
    this.#connection = connection;
    this.#http2 = http2;
  }

  get conduct(): Conduct {
    return this.#connection.conduct;
  }

  data(bytes: Uint8Array): void {
    this.grpc?.receive(bytes);
  }

  end(): void {
    this.grpc?.halfClosed();
  }

  drained(): void {
    this.grpc?.drained();
  }

  closed(): void {
    this.#connection.forget(this);
    this.grpc?.closed();
    this.#connection.streamIsOver();
  }

  respond(headers: Headers): void {
    this.#http2.respond(headers);
  }

  respondAlone(headers: Headers): void {
    this.#http2.trailers(headers);
  }

  write(bytes: Buffer): boolean {
    return this.#http2.sendData(bytes) && this.#connection.writer.hasRoom();
  }

  trailers(headers: Headers): void {
    this.#http2.trailers(headers);
  }

  abandon(): void {
    this.#http2.reset("CANCEL");
  }

  pauseReading(): void {
    this.#connection.rest(1);
  }

  resumeReading(): void {
    this.#connection.rest(-1);
  }
}
