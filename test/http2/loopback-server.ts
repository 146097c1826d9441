import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import {
  createHttp2Connection,
  DataFraming,
  DEFAULT_HTTP2_LIMITS,
  type Http2Connection,
  type Http2ConnectionOptions,
  type Http2Error,
  type Http2Limits,
} from "../../src/http2/mod.ts";

export interface LoopbackServer extends AsyncDisposable {
  readonly port: number;
  /** Of all connections, in their order. */
  readonly errors: readonly Http2Error[];
  readonly connections: readonly Http2Connection[];
}

/** Serves `onRequest` over plain sockets on loopback, as a transport would: what one chunk causes goes out in one write. */
export async function startLoopbackServer(
  onRequest: Http2ConnectionOptions["onRequest"],
  limits: Partial<Http2Limits> = {},
): Promise<LoopbackServer> {
  const framing = new DataFraming();
  const errors: Http2Error[] = [];
  const connections: Http2Connection[] = [];
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    const connection = createHttp2Connection({
      limits: { ...DEFAULT_HTTP2_LIMITS, ...limits },
      framing,
      now: () => performance.now(),
      write: (bytes) => void socket.write(bytes),
      onRequest,
      onStreamError: () => undefined,
      onError: (error) => {
        errors.push(error);
        socket.end();
      },
    });
    connections.push(connection);
    socket.on("data", (chunk: Buffer) => {
      socket.cork();
      connection.receive(chunk);
      socket.uncork();
    });
    // A client that goes away in the middle is one of the things that are tried.
    socket.on("error", () => undefined);
    socket.on("close", () => {
      connection.close();
      sockets.delete(socket);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    errors,
    connections,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** Answers a request with a few bytes when it has ended. */
export const answerAtTheEnd: Http2ConnectionOptions["onRequest"] = ({ stream }) => ({
  data: () => undefined,
  end: () => {
    stream.respond([
      [":status", "200"],
      ["content-type", "text/plain"],
    ]);
    stream.sendData(Buffer.from("answer"));
    stream.trailers([["x-end", "yes"]]);
  },
  drained: () => undefined,
  closed: () => undefined,
});
