/** Real Envoys on a real xDS server, each with a table of its own that a test replaces. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { vi } from "vitest";
import { envoy } from "../../proto/gen/envoy.js";
import { bootstrapFiles } from "../../src/envoy/bootstrap.ts";
import { generate } from "../../src/envoy/mod.ts";
import { contentHash, metricsRegistry, silentLog, systemClock } from "../../src/lib/mod.ts";
import type { ResourceView } from "../../src/mesh/mod.ts";
import { type DeliveryObserver, startXdsServer, TYPE_URLS } from "../../src/xds/mod.ts";
import type { Resource, ResourceTable, TableSource } from "../../src/xds/resource.ts";
import { type TestAuthority, testAuthority } from "../support/xds-mesh.ts";
import { envoyBinary } from "./binary.ts";

const { Listener } = envoy.config.listener.v3;

export interface AdsMesh {
  /** Starts an Envoy whose table is empty, and waits until it serves. */
  startProxy(name: string): Promise<AdsProxy>;
  stop(): Promise<void>;
}

export interface AdsProxy {
  /** Replaces the table, and waits until Envoy has acknowledged each of its resources, or has refused one. */
  publish(resources: readonly Resource[]): Promise<void>;
  /** What Envoy refused since it started: names and its own words. */
  readonly refusals: readonly string[];
  /** Sum of Envoy's own counters whose names match. */
  stat(pattern: string): Promise<number>;
}

interface ProxyState {
  table: ResourceTable;
  onChange: () => void;
  /** Versions that Envoy acknowledged, by type and name. */
  readonly held: Map<string, string>;
  readonly refusals: string[];
}

const EMPTY = tableOf(1, []);

export async function startAdsMesh(): Promise<AdsMesh> {
  const authority = await testAuthority();
  const proxies = new Map<string, ProxyState>();
  const tables: TableSource = {
    subscribe(peer, onChange) {
      const state = proxies.get(peer.uuid);
      if (state !== undefined) state.onChange = onChange;
      return { current: () => state?.table, close: () => undefined };
    },
  };
  const server = await startXdsServer({
    addresses: ["127.0.0.1:0"],
    credentials: await authority.server(),
    authenticate({ commonName }) {
      const [uuid = ""] = commonName.split(".");
      return { uuid, namespace: "shop", pod: uuid, serviceAccount: uuid };
    },
    tables,
    observe: recorder(proxies),
    clock: systemClock(),
    log: silentLog(),
    metrics: metricsRegistry(),
  });
  const port = Number(server.addresses[0]?.split(":").at(-1));
  const stops: (() => Promise<void>)[] = [() => server.close()];
  let generation = 1;
  return {
    async startProxy(name) {
      const state: ProxyState = { table: EMPTY, onChange: () => undefined, held: new Map(), refusals: [] };
      proxies.set(name, state);
      const started = await startEnvoy(name, authority, port);
      stops.unshift(started.stop);
      return {
        refusals: state.refusals,
        stat: started.stat,
        async publish(resources) {
          const refusedBefore = state.refusals.length;
          state.table = tableOf(++generation, resources);
          state.onChange();
          const isDone = () => state.refusals.length > refusedBefore || missingOf(state, resources).length === 0;
          await vi.waitUntil(isDone, { timeout: 20_000, interval: 2 }).catch(() => {
            throw new Error(`Envoy "${name}" never acknowledged ${missingOf(state, resources).join(", ")}`);
          });
        },
      };
    },
    async stop() {
      for (const stop of stops) await stop();
    },
  };
}

/** What views make of themselves, but that listeners take no port of the machine. */
export function unbound(views: readonly ResourceView[]): readonly Resource[] {
  return views.map((view) => {
    const made = generate(view);
    if (made.typeUrl !== TYPE_URLS.listener) return made;
    const bytes = Listener.encode({ ...Listener.decode(made.bytes), bindToPort: { value: false } }).finish();
    return { ...made, bytes, version: contentHash(bytes) };
  });
}

function missingOf({ held }: ProxyState, resources: readonly Resource[]): readonly string[] {
  const wanted = new Map(resources.map((one) => [`${one.typeUrl} ${one.name}`, one.version]));
  const lacking = [...wanted].filter(([key, version]) => held.get(key) !== version).map(([key]) => key);
  const isWild = (key: string) => key.startsWith(TYPE_URLS.cluster) || key.startsWith(TYPE_URLS.listener);
  return [...lacking, ...[...held.keys()].filter((key) => isWild(key) && !wanted.has(key))];
}

function recorder(proxies: ReadonlyMap<string, ProxyState>): DeliveryObserver {
  return {
    connected: () => undefined,
    disconnected: () => undefined,
    sent: () => undefined,
    acked({ peer }, { typeUrl, resources, removed }) {
      const held = proxies.get(peer.uuid)?.held;
      for (const { name, version } of resources) held?.set(`${typeUrl} ${name}`, version);
      for (const name of removed) held?.delete(`${typeUrl} ${name}`);
    },
    nacked({ peer }, { names, message }) {
      proxies.get(peer.uuid)?.refusals.push(`${names.join(", ")}: ${message}`);
    },
    held: () => undefined,
    settled: () => undefined,
  };
}

function tableOf(generation: number, resources: readonly Resource[]): ResourceTable {
  const byKey = new Map(resources.map((one) => [`${one.typeUrl} ${one.name}`, one]));
  return {
    generation,
    get: (typeUrl, name) => byKey.get(`${typeUrl} ${name}`),
    names: (typeUrl) => new Set(resources.filter((one) => one.typeUrl === typeUrl).map(({ name }) => name)),
  };
}

async function startEnvoy(name: string, authority: TestAuthority, xdsPort: number) {
  const folder = mkdtempSync(join(tmpdir(), "osm-ads-"));
  const credential = await authority.sidecar({ uuid: name, namespace: "shop", serviceAccount: name });
  const files = bootstrapFiles({
    nodeId: name,
    cluster: `${name}.shop`,
    xds: { host: "127.0.0.1", port: xdsPort, isIp: true },
    controllerSan: "osm-controller.osm-system.svc.cluster.local",
    tls: { minVersion: "TLSv1_2", maxVersion: "TLSv1_3", cipherSuites: [], ecdhCurves: [] },
    caPem: credential.rootsPem,
    certificatePem: credential.certificatePem,
    privateKeyPem: credential.privateKeyPem,
    directory: folder,
    adminPort: 0,
  });
  for (const [file, content] of Object.entries(files)) writeFileSync(join(folder, file), content, { mode: 0o600 });
  chmodSync(folder, 0o700);
  const adminFile = join(folder, "admin");
  const options = ["--concurrency", "1", "--disable-hot-restart", "--drain-time-s", "1", "--log-level", "off"];
  const arguments_ = ["-c", join(folder, "bootstrap.yaml"), "--admin-address-path", adminFile, ...options];
  const child = spawn(envoyBinary ?? "", arguments_, { stdio: "ignore" });
  const ask = async (path: string) => await askAdmin(`http://${readFileSync(adminFile, "utf8")}${path}`);
  const isLive = async () => (await ask("/ready").catch(() => "")).trim() === "LIVE";
  await vi.waitUntil(() => isEnded(child) || isLive(), { timeout: 20_000, interval: 20 });
  return {
    async stat(pattern: string) {
      const text = await ask(`/stats?usedonly&filter=${encodeURIComponent(pattern)}`);
      return text.split("\n").reduce((sum, line) => sum + Number(line.split(": ")[1] ?? 0), 0);
    },
    async stop() {
      if (!isEnded(child) && child.kill("SIGKILL")) await once(child, "exit");
      rmSync(folder, { recursive: true });
    },
  };
}

function isEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function askAdmin(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, { agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => resolve(text));
    }).on("error", reject);
  });
}
