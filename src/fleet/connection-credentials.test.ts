import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import process from "node:process";
import { connect } from "node:tls";
import { expect, test } from "vitest";
import { skipOnDeno } from "../../test/support/needs.ts";
import { CredentialContexts, offersKeyShares } from "./connection-credentials.ts";

const [GROUPS, KEY_SHARES] = [10, 51];

test("a server is offered the ciphers, groups and key shares that Envoy offers", async (context) => {
  skipOnDeno(context, "choice of TLS key shares");
  if (!offersKeyShares(process.versions.openssl)) context.skip("unobtainable: OpenSSL has no choice of TLS key shares");
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect({
    host: "127.0.0.1",
    port: (server.address() as AddressInfo).port,
    secureContext: new CredentialContexts("").of(undefined),
  });
  client.on("error", () => undefined);
  const [socket] = (await once(server, "connection")) as [Socket];
  const hello = await clientHello(socket);
  socket.destroy();
  client.destroy();
  server.close();
  expect(hello.ciphers).toEqual([0x1301, 0x1302, 0x1303]);
  expect(hello.groups).toEqual([0x11ec, 0x1d, 0x17]);
  expect(hello.shares).toEqual([0x11ec, 0x1d]);
});

test("an OpenSSL that would refuse Envoy's groups is not asked for them", () => {
  const versions = ["3.0.16", "3.4.1", "3.5.0", "3.10.0+quic", "4.0.0", undefined];
  expect(versions.map(offersKeyShares)).toEqual([false, false, true, true, true, false]);
});

/** Reads the fields of RFC 8446 §4.1.2 that matter here. */
async function clientHello(socket: Socket) {
  let bytes = Buffer.alloc(0);
  while (bytes.length < 5 || bytes.length < 5 + bytes.readUInt16BE(3)) {
    const [chunk] = (await once(socket, "data")) as [Buffer];
    bytes = Buffer.concat([bytes, chunk]);
  }
  const record = 5;
  const session = record + 4 + 2 + 32;
  const suites = session + 1 + bytes.readUInt8(session);
  const suitesEnd = suites + 2 + bytes.readUInt16BE(suites);
  const ciphers = numbers(bytes.subarray(suites + 2, suitesEnd));
  const extensions = new Map<number, Buffer>();
  let at = suitesEnd + 1 + bytes.readUInt8(suitesEnd) + 2;
  while (at < bytes.length) {
    const end = at + 4 + bytes.readUInt16BE(at + 2);
    extensions.set(bytes.readUInt16BE(at), bytes.subarray(at + 4, end));
    at = end;
  }
  const shares: number[] = [];
  const offered = extensions.get(KEY_SHARES) ?? Buffer.alloc(2);
  for (let share = 2; share < offered.length; share += 4 + offered.readUInt16BE(share + 2)) {
    shares.push(offered.readUInt16BE(share));
  }
  return { ciphers, groups: numbers((extensions.get(GROUPS) ?? Buffer.alloc(2)).subarray(2)), shares };
}

function numbers(bytes: Buffer): number[] {
  return Array.from({ length: bytes.length / 2 }, (_, index) => bytes.readUInt16BE(2 * index));
}
