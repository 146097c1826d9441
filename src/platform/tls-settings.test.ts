import { spawnSync } from "node:child_process";
import { afterEach, describe, expect, test, vi } from "vitest";
import { skipOnDeno } from "../../test/support/needs.ts";
import { testAuthority } from "../../test/support/xds-mesh.ts";
import { tlsFlags } from "./tls-settings.ts";

/** Says how many session tickets a client is given in one connection. */
const COUNT_TICKETS = `
  const tls = require("node:tls");
  const { certificatePem: cert, privateKeyPem: key, clientCaPem: ca } = JSON.parse(process.env.CREDENTIALS);
  const server = tls.createServer({ cert, key, ca }, (socket) => socket.end("all"));
  server.listen(0, "127.0.0.1", () => {
    let tickets = 0;
    tls.connect({ port: server.address().port, ca, checkServerIdentity: () => undefined })
      .on("session", () => tickets++)
      .on("data", () => undefined)
      .on("close", () => server.close(() => console.log(tickets)));
  });
`;

afterEach(() => vi.unstubAllEnvs());

describe("settings of OpenSSL", () => {
  test("have a full handshake end with one ticket, where two are made without them", async (context) => {
    skipOnDeno(context, "OpenSSL");
    const { node_shared_openssl: isShared } = process.config.variables as { readonly node_shared_openssl?: unknown };
    if (isShared === true) context.skip("unobtainable: this Node has the system's OpenSSL");
    vi.stubEnv("OPENSSL_CONF", undefined);
    vi.stubEnv("NODE_OPTIONS", "");
    const env = { ...process.env, CREDENTIALS: JSON.stringify(await (await testAuthority()).server()) };
    const ticketsWith = (flags: readonly string[]) =>
      spawnSync(process.execPath, [...flags, "-e", COUNT_TICKETS], { env, encoding: "utf8", timeout: 20_000 }).stdout;
    expect([ticketsWith(tlsFlags()), ticketsWith([])]).toEqual(["1\n", "2\n"]);
  });

  test.each([
    ["OPENSSL_CONF", "/etc/own.cnf"],
    ["NODE_OPTIONS", "--openssl-shared-config"],
    ["NODE_OPTIONS", "--force-fips"],
  ])("leave alone what somebody has chosen: %s=%s", (name, value) => {
    vi.stubEnv(name, value);
    expect(tlsFlags()).toEqual([]);
  });
});
