import {
  constants,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { TLSSocket } from "node:tls";
import { nextTurn } from "../../platform/mod.ts";
import type { Conduct } from "../admission/conduct.ts";
import type { ClientCertificate } from "../client-certificate.ts";
import type { Transport } from "../transport.ts";
import type { KeptConnection } from "./connection-keeper.ts";
import { type GrpcCarrier, type GrpcStreamOptions, grpcStreamOptions, openGrpcStream } from "./grpc-stream.ts";
import { type TransportOptions, tlsTransport } from "./tls-transport.ts";

const HEADER_LIST_BYTES_MAX = 16 * 1024;
/** Responses that wait for a slow reader count; a stream refuses to be opened beyond it. */
const SESSION_MEMORY_MB = 64;

/** gRPC on the HTTP/2 that comes with the runtime. */
export function http2Transport(options: TransportOptions): Transport {
  const server = createServer({
    maxSessionMemory: SESSION_MEMORY_MB,
    settings: {
      maxConcurrentStreams: options.limits.streamsPerConnectionMax,
      maxHeaderListSize: HEADER_LIST_BYTES_MAX,
      enablePush: false,
    },
  });
  server.on("sessionError", () => undefined);
  const streamOptions = grpcStreamOptions(options);
  return tlsTransport(options, (socket, certificate, conduct) =>
    serveSession(sessionOver(server, socket), certificate, conduct, streamOptions),
  );
}

/** Gives the connection to the runtime's HTTP/2, which says at once which session it has made. */
function sessionOver(server: Http2Server, socket: TLSSocket): ServerHttp2Session {
  let opened: ServerHttp2Session | undefined;
  const take = (session: ServerHttp2Session) => {
    opened = session;
  };
  server.once("session", take);
  server.emit("connection", socket);
  server.off("session", take);
  if (opened === undefined) throw new Error("node:http2 made no session for a connection");
  return opened;
}

function serveSession(
  session: ServerHttp2Session,
  certificate: ClientCertificate,
  conduct: Conduct,
  streamOptions: GrpcStreamOptions,
): KeptConnection {
  let isClosing = false;
  const connection = {
    isHeard: true,
    openStreams: 0,
    hasHadStream: false,
    ping() {
      if (session.destroyed) return;
      session.ping((error) => {
        if (error === null) connection.isHeard = true;
      });
    },
    close() {
      if (isClosing) session.destroy();
      else session.close();
      isClosing = true;
    },
    destroy: () => session.destroy(),
  };
  // A session that breaks closes its streams, which is what they are told.
  session.on("error", ({ code = "" }: NodeJS.ErrnoException) => {
    // Others are those of a socket whose peer is gone.
    if (code.startsWith("ERR_HTTP2_")) conduct.broke(`HTTP/2: ${code}`);
  });
  session.on("stream", (http2: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    connection.hasHadStream = true;
    connection.isHeard = true;
    connection.openStreams++;
    http2.on("error", () => undefined);
    http2.once("close", () => connection.openStreams--);
    const head = {
      method: headers[":method"],
      path: headers[":path"],
      contentType: headers["content-type"],
      timeout: headers["grpc-timeout"]?.toString(),
    };
    const stream = openGrpcStream(head, certificate, carrierOver(http2, conduct), streamOptions);
    if (stream === undefined) {
      http2.resume();
      return;
    }
    http2.on("data", (bytes: Buffer) => {
      connection.isHeard = true;
      stream.receive(bytes);
    });
    http2.on("drain", () => stream.drained());
    http2.on("end", () => stream.halfClosed());
    http2.on("close", () => stream.closed());
  });
  return connection;
}

/**
 * Tells a client that still sends to stop, once it has been told the status: in the same turn the reset would take the
 * place of the trailers.
 */
function closeNext(http2: ServerHttp2Stream): void {
  void nextTurn().then(() => http2.close(constants.NGHTTP2_NO_ERROR));
}

/** On a stream that is gone nothing is done: its close is on its way. */
function carrierOver(http2: ServerHttp2Stream, conduct: Conduct): GrpcCarrier {
  return {
    conduct,
    respond(headers) {
      if (!http2.destroyed) http2.respond(Object.fromEntries(headers), { waitForTrailers: true });
    },
    respondAlone(headers) {
      if (http2.destroyed) return;
      http2.respond(Object.fromEntries(headers), { endStream: true });
      closeNext(http2);
    },
    write: (bytes) => http2.destroyed || http2.write(bytes),
    trailers(headers) {
      if (http2.destroyed) return;
      http2.once("wantTrailers", () => {
        http2.sendTrailers(Object.fromEntries(headers));
        closeNext(http2);
      });
      http2.end();
    },
    abandon: () => http2.close(constants.NGHTTP2_CANCEL),
    pauseReading: () => void http2.pause(),
    resumeReading: () => void http2.resume(),
  };
}
