import { createHash } from "node:crypto";
import { once } from "node:events";
import { connect, type IncomingHttpHeaders } from "node:http2";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Http2ConnectionOptions } from "../../src/http2/mod.ts";
import { answerAtTheEnd, startLoopbackServer } from "./loopback-server.ts";

type OnRequest = Http2ConnectionOptions["onRequest"];

/** Sends back what comes, as gRPC would, and ends with status 0. */
const echo: OnRequest = ({ path, stream }) => {
  stream.respond([
    [":status", "200"],
    ["content-type", "application/grpc"],
    ["x-path", path],
  ]);
  return {
    data: (bytes) => void stream.sendData(Buffer.from(bytes)),
    end: () => stream.trailers([["grpc-status", "0"]]),
    drained: () => undefined,
    closed: () => undefined,
  };
};

describe("a gRPC client", () => {
  test("holds a conversation, of small messages and of ones larger than all windows", async () => {
    await using server = await startLoopbackServer(echo);
    const client = new Client(`127.0.0.1:${server.port}`, credentials.createInsecure());
    const identity = (bytes: Buffer) => bytes;
    const call = client.makeBidiStreamRequest("/echo.Echo/Bidi", identity, identity, new Metadata());
    const messages = [0, 1, 100, 16_384, 70_000, 2_000_000, 5].map((size) => Buffer.alloc(size, size));
    const received: Buffer[] = [];
    call.on("data", (message: Buffer) => void received.push(message));
    const status = once(call, "status");
    for (const message of messages) call.write(message);
    call.end();
    expect((await status)[0]).toMatchObject({ code: 0 });
    expect(received.map((message) => message.length)).toEqual(messages.map((message) => message.length));
    expect(received.every((message, index) => message.equals(messages[index] as Buffer))).toBe(true);
    client.close();
    expect(server.errors).toEqual([]);
  });

  test("is told the status of a call that is refused with headers alone", async () => {
    const refuse: OnRequest = ({ stream }) => {
      stream.trailers([
        [":status", "200"],
        ["content-type", "application/grpc"],
        ["grpc-status", "12"],
        ["grpc-message", "no such method"],
      ]);
      return undefined;
    };
    await using server = await startLoopbackServer(refuse);
    const client = new Client(`127.0.0.1:${server.port}`, credentials.createInsecure());
    const identity = (bytes: Buffer) => bytes;
    const call = client.makeBidiStreamRequest("/echo.Echo/None", identity, identity, new Metadata());
    const ended = new Promise((resolve) => call.on("error", resolve));
    expect(await ended).toMatchObject({ code: 12, details: "no such method" });
    client.close();
  });
});

describe("Node's HTTP/2 client", () => {
  test("has its headers read as it wrote them, request after request, whatever they say", async () => {
    const seen: ReadonlyMap<string, string>[] = [];
    await using server = await startLoopbackServer(
      (request) => {
        seen.push(request.headers);
        return answerAtTheEnd(request);
      },
      { controlFrames: { burst: 1e6, perSecond: 1e6 } },
    );
    const session = connect(`http://127.0.0.1:${server.port}`);
    // Few names and values, so that the table's entries are used again; and long ones, so that they are evicted.
    const name = fc.constantFrom(
      "x-a",
      "x-b",
      "user-agent",
      "grpc-timeout",
      "accept-encoding",
      "x-a-name-that-is-long",
    );
    const value = fc.oneof(
      fc.constantFrom("1", "grpc-node/1", "a value that is said again"),
      fc.string({ maxLength: 1500 }),
    );
    const clean = value.map((text) => text.replace(/[^\x20-\x7e]/g, "~").trim());
    const requests = fc.sample(fc.dictionary(name, clean), { numRuns: 150, seed: 7 });
    for (const headers of requests) {
      const request = session.request({ ":path": "/", ...headers });
      const [answer] = (await once(request, "response")) as [IncomingHttpHeaders];
      expect(answer[":status"]).toBe(200);
      request.resume();
      await once(request, "close");
    }
    session.close();
    expect(server.errors).toEqual([]);
    expect(seen.map((headers) => Object.fromEntries(headers))).toEqual(requests.map((headers) => ({ ...headers })));
  });

  test("that stops reading holds back what is meant for it and nothing else, and gets all of it later", async () => {
    const megabyte = Buffer.from(Array.from({ length: 1_000_000 }, (_, index) => index % 251));
    let couldSend: boolean | undefined;
    const drained = Promise.withResolvers<void>();
    const offer: OnRequest = (request) => {
      if (request.path !== "/large") return answerAtTheEnd(request);
      const { stream } = request;
      stream.respond([[":status", "200"]]);
      couldSend = stream.sendData(megabyte);
      return {
        data: () => undefined,
        end: () => undefined,
        drained: () => {
          stream.trailers([]);
          drained.resolve();
        },
        closed: () => undefined,
      };
    };
    await using server = await startLoopbackServer(offer);
    const session = connect(`http://127.0.0.1:${server.port}`);
    const slow = session.request({ ":path": "/large" });
    await once(slow, "response");
    expect(couldSend).toBe(false);
    const other = connect(`http://127.0.0.1:${server.port}`);
    const quick = other.request({ ":path": "/" });
    await once(quick, "response");
    const hash = createHash("sha256");
    slow.on("data", (bytes: Buffer) => void hash.update(bytes));
    await drained.promise;
    await once(slow, "close");
    expect(hash.digest("hex")).toBe(createHash("sha256").update(megabyte).digest("hex"));
    session.close();
    other.destroy();
    expect(server.errors).toEqual([]);
  });
});
