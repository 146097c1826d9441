import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { type ApiAddress, describeAddress, requestJson } from "./json-request.ts";

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function serving(answer: (response: ServerResponse) => void): Promise<ApiAddress> {
  const created = createServer((_request, response) => answer(response));
  server = created;
  await new Promise<void>((resolve) => created.listen(0, "127.0.0.1", resolve));
  return { host: "127.0.0.1", port: (created.address() as AddressInfo).port };
}

const ask = (address: ApiAddress, rest: { timeoutMs?: number; signal?: AbortSignal } = {}) =>
  requestJson({ address, method: "GET", path: "/pods", ...rest });

test("an API's own sentence is what its caller reads", async () => {
  const address = await serving((response) => response.writeHead(404).end('{"error": "there is no pod a"}'));
  await expect(ask(address)).rejects.toMatchObject({ code: "refused", message: "there is no pod a" });
});

test("a stranger's answer is named with the address and not taken for data", async () => {
  let status = 502;
  const address = await serving((response) => response.writeHead(status).end("<html>"));
  const where = describeAddress(address);
  await expect(ask(address)).rejects.toMatchObject({ code: "foreign", message: `${where} answered with status 502` });
  status = 200;
  await expect(ask(address)).rejects.toMatchObject({ code: "foreign" });
});

test("nobody there, silence and an answer cut short are one thing: unreachable", async () => {
  const gone = { host: "127.0.0.1", port: 1 };
  await expect(ask(gone)).rejects.toMatchObject({ code: "unreachable", cause: { code: "ECONNREFUSED" } });
  const silent = await serving(() => undefined);
  await expect(ask(silent, { timeoutMs: 5 })).rejects.toMatchObject({ code: "unreachable" });
  await expect(ask(silent, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "unreachable" });
  const broken = await serving((response) => {
    response.writeHead(200, { "content-length": 100 }).write("[");
    response.destroy();
  });
  await expect(ask(broken)).rejects.toMatchObject({ code: "unreachable" });
});
