import type { TLSSocket } from "node:tls";
import {
  createHttp2Connection,
  DataFraming,
  DEFAULT_HTTP2_LIMITS,
  type Http2Connection,
  type Http2Request,
  type Http2Stream,
  type Http2StreamHandler,
} from "../http2/mod.ts";
import { nextTurn } from "../platform/mod.ts";
import type { ClientCertificate } from "./client-certificate.ts";
import type { KeptConnection } from "./connection-keeper.ts";
import { Departures } from "./departures.ts";
import type { FindExcess } from "./grpc-frames.ts";
import { type GrpcCarrier, type GrpcStream, type GrpcStreamOptions, openGrpcStream } from "./grpc-stream.ts";
import { requestExcess } from "./repeated-fields.ts";
import { SocketWriter } from "./socket-writer.ts";
import { type TransportOptions, tlsTransport } from "./tls-transport.ts";
import type { Transport } from "./transport.ts";

/** gRPC on HTTP/2 frames of our own: what goes to thousands of streams is framed once, and costs each of them one write. */
export function framedTransport(options: TransportOptions): Transport {
  const framing = new DataFraming();
  const errors = options.metrics.counter("osm_xds_connection_errors_total", "Connections whose client broke HTTP/2");
  const departures = new Departures((action) => void nextTurn().then(action));
  const { namesMax } = options.limits;
  const findExcess: FindExcess = (beginning, length) => requestExcess(beginning, namesMax, length);
  const shared = { framing, departures, findExcess, onError: () => errors.add() };
  return tlsTransport(options, (socket, certificate) => new FramedConnection(socket, certificate, shared, options));
}

/** What the connections of a server have in common. */
interface Shared {
  readonly framing: DataFraming;
  readonly departures: Departures;
  readonly findExcess: FindExcess;
  readonly onError: () => void;
}

/** So much of one connection is read before others have their turn: a client may have sent thousands of small requests. */
const READ_BYTES = 64 * 1024;
const PING_PAYLOAD = Buffer.from("osm-ping");

class FramedConnection implements KeptConnection {
  hasHadStream = false;
  #isHeard = true;
  readonly #socket: TLSSocket;
  readonly #certificate: ClientCertificate;
  readonly #streamOptions: GrpcStreamOptions;
  readonly #writer: SocketWriter;
  readonly #http2: Http2Connection;
  readonly #streams = new Set<GrpcStream>();
  #resting = 0;
  #unread = READ_BYTES;
  #isClosing = false;

  constructor(socket: TLSSocket, certificate: ClientCertificate, shared: Shared, options: TransportOptions) {
    this.#socket = socket;
    this.#certificate = certificate;
    const { accept, clock, limits } = options;
    this.#streamOptions = { accept, clock, requestBytesMax: limits.requestBytesMax, findExcess: shared.findExcess };
    this.#writer = new SocketWriter(socket, () => {
      for (const stream of [...this.#streams]) stream.drained();
    });
    this.#http2 = createHttp2Connection({
      limits: { ...DEFAULT_HTTP2_LIMITS, concurrentStreams: limits.streamsPerConnectionMax },
      framing: shared.framing,
      now: clock.monotonic,
      write: this.#writer.write,
      onRequest: (request) => this.#open(request),
      onPong: () => undefined,
      onGoAway: () => undefined,
      onStreamError: () => undefined,
      onError: () => {
        shared.onError();
        this.#endSoon();
      },
    });
    socket.on("data", (bytes: Buffer) => {
      this.#isHeard = true;
      this.#http2.receive(bytes);
      this.#unread -= bytes.length;
      if (this.#unread <= 0) this.#giveWay();
    });
    socket.once("close", () => this.#http2.close());
    shared.departures.watch(socket);
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
    this.#writer.whenEmpty(() => this.#socket.destroySoon());
  }

  #open({ method, path, headers, stream }: Http2Request): Http2StreamHandler | undefined {
    this.hasHadStream = true;
    const head = { method, path, contentType: headers.get("content-type") };
    const grpc = openGrpcStream(head, this.#certificate, this.#carrier(stream), this.#streamOptions);
    if (grpc === undefined) return undefined;
    this.#streams.add(grpc);
    return {
      data: (bytes) => grpc.receive(bytes),
      end: () => grpc.halfClosed(),
      drained: () => grpc.drained(),
      closed: () => {
        this.#streams.delete(grpc);
        grpc.closed();
        if (this.#isClosing && this.#http2.streamCount === 0) this.#endSoon();
      },
    };
  }

  #carrier(stream: Http2Stream): GrpcCarrier {
    const writer = this.#writer;
    return {
      respond: (headers) => stream.respond(headers),
      respondAlone: (headers) => stream.trailers(headers),
      write: (bytes) => stream.sendData(bytes) && writer.hasRoom(),
      trailers: (headers) => stream.trailers(headers),
      abandon: () => stream.reset("CANCEL"),
      pauseReading: () => this.#rest(1),
      resumeReading: () => this.#rest(-1),
    };
  }

  #giveWay(): void {
    this.#unread = READ_BYTES;
    this.#rest(1);
    void nextTurn().then(() => this.#rest(-1));
  }

  /** A connection is read while none of its streams rests. */
  #rest(change: 1 | -1): void {
    this.#resting += change;
    if (this.#resting === 0) this.#socket.resume();
    else this.#socket.pause();
  }
}
