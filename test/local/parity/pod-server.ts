/**
 * A program for pods: `http:PORT`, `tcp:PORT`, `banner:PORT`, `grpc:PORT` and `tls:PORT:FILE` (PEM of key and chain) as
 * arguments, each a server that says which pod it is.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { createServer as createTcpServer } from "node:net";
import type { Duplex } from "node:stream";

const WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const pod = process.env.HOSTNAME ?? "";
const name = process.env.APP ?? pod;
let isReady = true;

function answer(request: IncomingMessage, response: ServerResponse): void {
  const { url = "", method, headers } = request;
  if (url === "/ready" || url === "/unready") isReady = url === "/ready";
  response.statusCode = url === "/health" && !isReady ? 503 : 200;
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ pod, name, url, method, port: request.socket.localPort, headers }));
}

/** RFC 6455, §4.2.2 and §5.2: short text frames alone. */
function echoFrames(request: IncomingMessage, socket: Duplex): void {
  const key = `${request.headers["sec-websocket-key"]}${WEBSOCKET_GUID}`;
  const accept = createHash("sha1").update(key).digest("base64");
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  socket.on("data", (frame: Buffer) => {
    if ((frame[0] ?? 0) !== 0x81) return void socket.end();
    const length = (frame[1] ?? 0) & 0x7f;
    const mask = frame.subarray(2, 6);
    const text = frame.subarray(6, 6 + length).map((byte, index) => byte ^ (mask[index % 4] ?? 0));
    const reply = Buffer.concat([Buffer.from(`${name} `), text]);
    socket.write(Buffer.concat([Buffer.from([0x81, reply.length]), reply]));
  });
  socket.on("error", () => socket.destroy());
}

async function serveGrpc(port: number): Promise<void> {
  const { Server, ServerCredentials } = await import("@grpc/grpc-js");
  const asItIs = (bytes: Buffer) => bytes;
  const server = new Server();
  server.addService(
    {
      say: {
        path: "/echo.Echo/Say",
        requestStream: false,
        responseStream: false,
        requestSerialize: asItIs,
        requestDeserialize: asItIs,
        responseSerialize: asItIs,
        responseDeserialize: asItIs,
      },
    },
    {
      say: (call: { request: Buffer }, reply: (error: null, bytes: Buffer) => void) =>
        reply(null, Buffer.from(`${name} ${call.request.toString()}`)),
    },
  );
  await new Promise((resolve) =>
    server.bindAsync(`0.0.0.0:${port}`, ServerCredentials.createInsecure(), () => resolve(undefined)),
  );
}

for (const argument of process.argv.slice(2)) {
  const [kind, portText, file = ""] = argument.split(":");
  const port = Number(portText);
  if (kind === "http") {
    createHttpServer(answer).on("upgrade", echoFrames).listen(port);
  } else if (kind === "tls") {
    const pem = readFileSync(file, "utf8");
    createHttpsServer({ key: pem, cert: pem, ALPNProtocols: ["osm"] }, answer).listen(port);
  } else if (kind === "grpc") {
    await serveGrpc(port);
  } else {
    createTcpServer((socket) => {
      socket.on("error", () => socket.destroy());
      if (kind === "banner") socket.write(`${name} speaks first\n`);
      else socket.on("data", (chunk) => socket.write(`${name} ${chunk.toString()}`));
    }).listen(port);
  }
}
