import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { metricsRegistry, silentLog } from "../lib/mod.ts";
import { type ControlActions, controlRoutes } from "./control.ts";
import { type HttpListener, listenHttp } from "./http.ts";
import { type AdminReadModel, publicRoutes } from "./public.ts";

const listeners: HttpListener[] = [];
afterEach(async () => {
  for (const listener of listeners.splice(0)) await listener.close();
});

const model: AdminReadModel = {
  version: { version: "0.1.0", git_commit: "c", build_date: "d" },
  metrics: metricsRegistry(),
  unreadyReason: () => "waiting for the folder",
  deadReason: () => Promise.resolve(undefined),
  proxies: () => Promise.resolve([]),
  proxyConfig: () => Promise.resolve(undefined),
  rejections: () =>
    Promise.resolve([
      { kind: "TrafficSplit", namespace: "a", name: "b", strength: "object", field: "spec", reason: "r", message: "m" },
    ]),
  ignoredKinds: () => ({ Ingress: 2 }),
  meshConfig: () => ({ settings: {}, inactive: [] }),
  sockets: () => ({ control: "/s", node: null }),
};

async function served(overrides: Partial<AdminReadModel> = {}): Promise<string> {
  const listener = await listenHttp({
    address: { host: "127.0.0.1", port: 0 },
    routes: publicRoutes({ ...model, ...overrides }),
    log: silentLog(),
  });
  listeners.push(listener);
  return `http://127.0.0.1:${listener.port}`;
}

test("a probe is told why the mesh is not ready, with a status that fails the probe", async () => {
  const base = await served();
  const answer = await fetch(`${base}/health/ready`);
  expect([answer.status, await answer.text()]).toEqual([503, "waiting for the folder"]);
  expect((await fetch(`${base}/health/alive`)).status).toBe(200);
});

test("a rejection without a file still has the fields that programs read", async () => {
  const base = await served();
  expect(await (await fetch(`${base}/debug/rejections`)).json()).toMatchObject([
    { kind: "TrafficSplit", file: "", line: 0 },
  ]);
});

test("an unknown path, a wrong method and an unknown pod are told apart, and none of them kills the server", async () => {
  const base = await served();
  expect((await fetch(`${base}/nope`)).status).toBe(404);
  expect((await fetch(`${base}/metrics`, { method: "POST" })).status).toBe(405);
  expect((await fetch(`${base}/debug/proxies/%zz/p/config`)).status).toBe(404);
  const noPath = request(base, { path: "//" });
  const status = new Promise((resolve) => noPath.on("response", (response) => resolve(response.resume().statusCode)));
  noPath.end();
  expect(await status).toBe(400);
  const unknown = await fetch(`${base}/debug/proxies/ns/pod/config`);
  expect([unknown.status, await unknown.json()]).toEqual([404, { error: "No proxy of pod ns/pod is connected" }]);
  expect((await fetch(`${base}/version`)).status).toBe(200);
});

test("a handler that breaks answers 500 with a sentence and the next request is answered", async () => {
  const base = await served({ proxyConfig: () => Promise.reject(new Error("worker gone")) });
  expect((await fetch(`${base}/debug/proxies/ns/pod/config`)).status).toBe(500);
  expect((await fetch(`${base}/version`)).status).toBe(200);
});

test("objects arrive line by line while the sender is still connected", async () => {
  const folder = mkdtempSync(join(tmpdir(), "osm-admin-"));
  const path = join(folder, "control.sock");
  const heard: unknown[] = [];
  const { promise: complete, resolve: isComplete } = Promise.withResolvers<void>();
  const actions = {
    acceptObjects: (batch: readonly unknown[]) => {
      heard.push(batch);
      if (heard.length === 2) isComplete();
    },
  } as unknown as ControlActions;
  listeners.push(await listenHttp({ address: { path }, routes: controlRoutes(actions), log: silentLog() }));
  const sender = request({ socketPath: path, path: "/objects", method: "POST" });
  sender.on("error", () => {});
  sender.write('[{"type":"reset"}]\n');
  sender.write('[{"type":"apply"}]\n');
  await complete;
  expect(heard).toEqual([[{ type: "reset" }], [{ type: "apply" }]]);
  sender.destroy();
  rmSync(folder, { recursive: true });
});
