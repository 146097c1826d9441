import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, expect, test } from "vitest";
import { silentLog, systemClock } from "../lib/mod.ts";
import { type ControlClient, controlClient } from "./control-client.ts";

let dir: string;
let socketPath: string;
let client: ControlClient;
let server: Server | undefined;
/** Kinds of event, with the names that each concerns. */
let heard: string[];
let onHeard = () => {};

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "osm-control-"));
  socketPath = join(dir, "control.sock");
  heard = [];
  client = controlClient({ socketPath, clock: systemClock(), random: () => 1, log: silentLog() });
});
afterEach(async () => {
  client.close();
  await stopServer();
  rmSync(dir, { recursive: true, force: true });
});

const pod = (name: string, phase = "Pending") => ({
  object: { apiVersion: "v1", kind: "Pod", metadata: { name, namespace: "shop" }, status: { phase } },
});

async function startServer(
  answer: (response: ServerResponse) => void = (response) => response.end("{}"),
): Promise<void> {
  const created = createServer((request, response) => {
    if (request.url !== "/objects") return answer(response);
    // Hanging up is how this request ends.
    request.on("error", () => undefined);
    const lines = createInterface({ input: request });
    lines.on("error", () => undefined);
    lines.on("line", (line) => {
      for (const event of JSON.parse(line)) {
        const names = event.objects?.map((each: ReturnType<typeof pod>) => each.object.metadata.name).join(",");
        heard.push(`${event.type} ${names ?? event.object?.metadata.name ?? event.name}`);
      }
      onHeard();
    });
  });
  server = created;
  await new Promise<void>((resolve) => created.listen(socketPath, resolve));
}

async function stopServer(): Promise<void> {
  const stopped = server;
  server = undefined;
  if (stopped === undefined) return;
  stopped.closeAllConnections();
  await new Promise<void>((resolve) => stopped.close(() => resolve()));
}

function hears(count: number): Promise<void> {
  return new Promise((resolve) => {
    onHeard = () => {
      if (heard.length >= count) resolve();
    };
    onHeard();
  });
}

test("the control plane is told everything once and then only what differs", async () => {
  await startServer();
  client.publish([pod("a"), pod("b")]);
  await hears(1);
  client.publish([pod("a"), pod("b")]);
  client.publish([pod("a", "Running"), pod("c")]);
  await hears(4);
  expect(heard).toEqual(["reset a,b", "apply a", "apply c", "delete b"]);
});

test("a control plane that comes back is told everything as it stands now", async () => {
  await startServer();
  client.publish([pod("a")]);
  await hears(1);
  await stopServer();
  client.publish([pod("a"), pod("b")]);
  await startServer();
  await hears(2);
  expect(heard).toEqual(["reset a", "reset a,b"]);
});

test("a question waits for a control plane that is not there yet, and ends when nobody wants it any more", async () => {
  const asking = client.ask("GET", "/settings", undefined, new AbortController().signal);
  let refusals = 1;
  await startServer((response) => {
    response.statusCode = refusals-- > 0 ? 503 : 200;
    response.end('{"answer": 1}');
  });
  expect(await asking).toEqual({ answer: 1 });
  await stopServer();
  const abort = new AbortController();
  const given = client.ask("GET", "/settings", undefined, abort.signal);
  abort.abort();
  expect(await given).toBeUndefined();
});
