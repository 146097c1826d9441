/** Servers that are down, refuse, talk nonsense or fall silent: the fleet says so by kind, and every wait ends. */
import { once } from "node:events";
import { createServer as createHttp2Server, type ServerHttp2Stream } from "node:http2";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { afterEach, describe, expect, test } from "vitest";
import { envoy } from "../../proto/gen/discovery.js";
import { startFleet } from "../../src/fleet/fleet.ts";
import type { Behaviour, Fleet, FleetCounts, Target } from "../../src/fleet/fleet-api.ts";
import { type Clock, silentLog, systemClock } from "../../src/lib/mod.ts";
import { testAuthority } from "../support/xds-mesh.ts";

const { DeltaDiscoveryResponse } = envoy.service.discovery.v3;
const CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster";

const opened: { close(): unknown }[] = [];
const sockets: Socket[] = [];
let fleet: Fleet | undefined;

afterEach(async () => {
  await fleet?.stop();
  fleet = undefined;
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const each of opened.splice(0)) each.close();
});

async function listen(server: Server): Promise<string> {
  server.on("connection", (socket: Socket) => {
    sockets.push(socket);
    socket.on("error", () => undefined);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  opened.push(server);
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Of the wait, and of the way back to a lost server: both end when the test says so. */
const LIMIT_MS = 3_600_000;
const RETRY_MS = 499;

/** Errors by kind after each of two proxies has failed once, or has had time to. */
async function errorsAt(
  target: Target,
  waitsFor: "failures" | "nothing" = "failures",
  behaviour: Behaviour = { kind: "normal" },
): Promise<FleetCounts> {
  const proxies = [0, 1].map((id) => ({ id, nodeId: `node-${id}`, protocol: "delta", behaviour }) as const);
  const system = systemClock();
  let expire = (): void => undefined;
  const clock: Clock = {
    ...system,
    after(delayMs, action) {
      if (delayMs === LIMIT_MS) expire = action;
      return delayMs === LIMIT_MS || delayMs === RETRY_MS ? () => undefined : system.after(delayMs, action);
    },
  };
  const random = () => RETRY_MS / 500;
  const tried = await startFleet({ target, proxies, processes: 0, clock, log: silentLog(), random });
  fleet = tried;
  const connecting = tried.connect({ timeoutMs: LIMIT_MS });
  const failures = async () => Object.values((await tried.counts()).errors).reduce((sum, count) => sum + count, 0);
  if (waitsFor === "failures") await expect.poll(failures).toBeGreaterThanOrEqual(proxies.length);
  else await new Promise<void>((resolve) => system.after(200, resolve));
  expire();
  expect((await connecting).missing).toEqual([0, 1]);
  return await tried.counts();
}

/** Answers the first bytes of a client with these. */
function answering(...chunks: readonly (Uint8Array | string)[]): Server {
  return createServer((socket) => {
    socket.once("data", () => {
      for (const chunk of chunks) socket.write(chunk);
    });
  });
}

const frame = (type: number, flags: number, stream: number, payload: readonly number[] | Uint8Array = []) =>
  Buffer.from([0, payload.length >> 8, payload.length & 255, type, flags, 0, 0, 0, stream, ...payload]);
const settings = frame(4, 0, 0);
/** `:status 200` of the static table. */
const ok = frame(1, 4, 1, [0x88]);
const grpc = (message: Uint8Array, flag = 0) =>
  Buffer.from([flag, 0, 0, message.length >> 8, message.length & 255, ...message]);

describe("a fleet whose server", () => {
  test("is down says so", async () => {
    const server = createServer();
    const address = await listen(server);
    await new Promise((resolve) => server.close(resolve));
    opened.length = 0;
    expect((await errorsAt({ address })).errors).toMatchObject({ "connect-refused": 2, timeout: 2 });
  });

  test("is a socket that is not there says so", async () => {
    expect((await errorsAt({ address: "unix:/nowhere/xds.sock" })).errors).toMatchObject({ "connect-refused": 2 });
  });

  test("takes connections and never answers ends its wait", async () => {
    const address = await listen(createServer());
    expect((await errorsAt({ address }, "nothing")).errors).toEqual({ timeout: 2 });
  });

  test("ends connections says so", async () => {
    const address = await listen(createServer((socket) => socket.end()));
    expect((await errorsAt({ address })).errors).toMatchObject({ closed: 2 });
  });

  test("speaks no TLS, or carries another name, says so", async () => {
    const { rootsPem, server } = await testAuthority();
    const plain = await listen(answering("HTTP/1.1 400 Bad Request\r\n\r\n"));
    const spoken = await errorsAt({ address: plain, tls: { rootsPem } });
    expect(spoken.errors).toMatchObject({ tls: 2 });
    expect(spoken.errorExamples["tls"]).not.toContain(":error:");
    await fleet?.stop();
    const { certificatePem, privateKeyPem } = await server();
    const secure = await listen(
      createTlsServer({ cert: certificatePem, key: privateKeyPem, ALPNProtocols: ["h2"] }) as unknown as Server,
    );
    const other = { rootsPem, serverName: "another.example" };
    expect((await errorsAt({ address: secure, tls: other })).errors).toMatchObject({ tls: 2 });
  });

  test("requires a certificate that the proxy does not have says so", async () => {
    const { rootsPem, server } = await testAuthority();
    const { certificatePem, privateKeyPem } = await server();
    const options = {
      cert: certificatePem,
      key: privateKeyPem,
      ca: rootsPem,
      requestCert: true,
      ALPNProtocols: ["h2"],
    };
    const secure = createTlsServer(options);
    secure.on("tlsClientError", () => undefined);
    const address = await listen(secure as unknown as Server);
    const { errors } = await errorsAt({ address, tls: { rootsPem, serverName: "localhost" } });
    expect(errors["tls"] ?? errors["reset"]).toBe(2);
  });

  const status = (...bytes: number[]) => frame(1, 5, 1, bytes);
  const literal = (text: string) => [text.length, ...Buffer.from(text)];
  test.each<[string, string, readonly (Uint8Array | string)[]]>([
    ["talks HTTP/1", "protocol", ["HTTP/1.1 400 Bad Request\r\n\r\n"]],
    ["begins with something else than SETTINGS", "protocol", [frame(6, 0, 0, new Uint8Array(8))]],
    ["sends a frame that is too long", "protocol", [settings, Buffer.from([1, 0, 0, 0, 0, 0, 0, 0, 1])]],
    ["sends half a SETTINGS", "protocol", [frame(4, 0, 0, [0, 1, 2])]],
    ["uses the dynamic table that was refused", "protocol", [settings, frame(1, 4, 1, [0xbe])]],
    ["sends a header block that breaks off", "protocol", [settings, frame(1, 4, 1, [0x48, 0x82])]],
    ["sends a string in no Huffman code", "protocol", [settings, frame(1, 4, 1, [0x48, 0x84, 255, 255, 255, 255])]],
    ["answers on a stream that nobody opened", "protocol", [settings, frame(0, 0, 3, [1])]],
    ["pushes", "protocol", [settings, frame(5, 4, 1, [0, 0, 0, 2])]],
    ["sends a compressed message", "protocol", [settings, ok, frame(0, 0, 1, grpc(new Uint8Array(0), 1))]],
    ["announces a message of 4 GB", "protocol", [settings, ok, frame(0, 0, 1, [0, 255, 255, 255, 255])]],
    ["sends a message that is no protobuf", "protocol", [settings, ok, frame(0, 0, 1, grpc(Buffer.from([0x0a, 200])))]],
    ["opens the window too far", "protocol", [settings, frame(8, 0, 0, [127, 255, 255, 255])]],
    ["resets the stream", "rst-stream-8", [settings, frame(3, 0, 1, [0, 0, 0, 8])]],
    ["goes away with an error", "goaway-11", [settings, frame(7, 0, 0, [0, 0, 0, 0, 0, 0, 0, 11])]],
    ["knows no such path", "http-status-404", [settings, status(0x8d)]],
    [
      "refuses in trailers alone",
      "grpc-status-7",
      [settings, status(0x88, 0x40, ...literal("grpc-status"), ...literal("7"))],
    ],
    ["ends the stream in the middle", "grpc-no-status", [settings, ok, frame(0, 1, 1)]],
  ])("%s is counted as %s", async (_what, kind, chunks) => {
    const address = await listen(answering(...chunks));
    const { errors, errorExamples } = await errorsAt({ address });
    expect(errors).toMatchObject({ [kind]: 2 });
    expect(errorExamples[kind]).not.toBe("");
  });

  test("is a web server is told by its content type", async () => {
    const head = frame(1, 4, 1, [0x88, 0x40, ...literal("content-type"), ...literal("text/html")]);
    const address = await listen(answering(settings, head, frame(0, 1, 1, Buffer.from("<h1>Welcome</h1>"))));
    const { errorExamples } = await errorsAt({ address });
    expect(errorExamples["protocol"]).toBe('no gRPC but "text/html"');
  });

  const good = { name: "a", resource: { type_url: CLUSTER, value: Buffer.from([0x0a, 1, 0x61]) } };
  test.each([
    ["a resource of another type", [{ ...good, resource: { ...good.resource, type_url: "x" } }], [], 'type "x"'],
    [
      "a resource that is no protobuf",
      [{ ...good, resource: { ...good.resource, value: Buffer.of(255) } }],
      [],
      '"a" is not',
    ],
    ["a resource twice", [good, good], [], 'the name "a" comes twice'],
    ["a resource that it removes as well", [good], ["a"], 'the name "a" comes twice'],
  ])("sends %s in one response is refused as by Envoy, and the reason told", async (_what, resources, gone, reason) => {
    const message = { typeUrl: CLUSTER, nonce: "1", resources, removedResources: gone };
    const bytes = DeltaDiscoveryResponse.encode(message).finish();
    const address = await listen(answering(settings, ok, frame(0, 0, 1, grpc(bytes))));
    const { errors, errorExamples, nacks, acks, open } = await errorsAt({ address });
    expect({ errors, nacks, acks, open }).toEqual({ errors: { refused: 2, timeout: 2 }, nacks: 2, acks: 0, open: 2 });
    expect(errorExamples["refused"]).toContain(reason);
  });

  test("sends nonsense to proxies that answer nothing: it is told, and they say nothing to that either", async () => {
    const message = { typeUrl: CLUSTER, nonce: "1", resources: [good, good] };
    const bytes = DeltaDiscoveryResponse.encode(message).finish();
    const address = await listen(answering(settings, ok, frame(0, 0, 1, grpc(bytes))));
    const { errors, nacks, acks } = await errorsAt({ address }, "failures", { kind: "never-ack" });
    expect({ errors, nacks, acks }).toEqual({ errors: { refused: 2, timeout: 2 }, nacks: 0, acks: 0 });
  });
});

test("a server with tiny windows, frames in pieces, Huffman-coded words and pings is understood", async () => {
  const server = createHttp2Server({ settings: { initialWindowSize: 7, maxFrameSize: 16_384 } });
  const received: Buffer[] = [];
  server.on("stream", (stream: ServerHttp2Stream) => {
    stream.respond(
      { ":status": 200, "content-type": "application/grpc", "x-long": "w".repeat(200) },
      { waitForTrailers: true },
    );
    stream.on("data", (chunk: Buffer) => received.push(chunk));
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "8", "grpc-message": "too%20m%C3%A4ny" }));
    stream.on("error", () => undefined);
    const first = DeltaDiscoveryResponse.encode({ typeUrl: CLUSTER, nonce: "first" }).finish();
    const large = DeltaDiscoveryResponse.encode({
      typeUrl: CLUSTER,
      nonce: "second",
      systemVersionInfo: "x".repeat(300_000),
    });
    const bytes = Buffer.concat([grpc(first), prefixed(large.finish())]);
    // The prefix of the second message comes in two frames.
    for (const part of [bytes.subarray(0, first.length + 7), bytes.subarray(first.length + 7)]) stream.write(part);
    stream.session?.ping(() => {
      const acknowledged = () => Buffer.concat(received).includes("second");
      const look = () => (acknowledged() ? stream.end() : setImmediate(look));
      look();
    });
  });
  const address = await listen(server as unknown as Server);
  const { errors, errorExamples, responses, acks } = await errorsAt({ address });
  // Each stream ends like that.
  const streams = errors["grpc-status-8"] ?? 0;
  expect(streams).toBeGreaterThanOrEqual(2);
  expect(acks).toBe(responses);
  expect(responses).toBeGreaterThanOrEqual(2 * streams);
  expect(errorExamples["grpc-status-8"]).toBe("too mäny");
});

function prefixed(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}
