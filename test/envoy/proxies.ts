/**
 * Real Envoys that run generated resources read from files, on loopback and without interception: a listener binds to the
 * ports of its chains instead, so that a chain is still chosen by the port that a client dialled.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import type { JsonValue } from "@bufbuild/protobuf";
import { vi } from "vitest";
import { type Authority, serviceNames } from "../../src/ca/mod.ts";
import { encodeServiceCertificate, encodeTrustBundle, generate, RESOURCE_TYPE_URLS } from "../../src/envoy/mod.ts";
import type { ResourceView } from "../../src/mesh/mod.ts";
import { decodeToJson } from "../golden/decode.ts";
import { envoyBinary } from "./binary.ts";

type Json = { [key: string]: JsonValue };

const SECRET = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";

/** What one Envoy is given. */
export interface ProxyConfig {
  /** Empty folder of its own. */
  readonly folder: string;
  /** Service account in namespace `ns`. */
  readonly serviceAccount: string;
  readonly authority: Authority;
  readonly views: readonly ResourceView[];
  /** Ports on which each listener, by its name, is bound. */
  readonly ports: Readonly<Record<string, readonly number[]>>;
}

export interface RunningProxy {
  /** Replaces all resources; Envoy picks them up by itself. */
  update(views: readonly ResourceView[]): void;
  /** Value of one counter or gauge. */
  stat(name: string): Promise<number>;
  stop(): Promise<void>;
}

/** Starts Envoy and waits until it serves. */
export async function startProxy(config: ProxyConfig): Promise<RunningProxy> {
  await writeSecrets(config);
  const files = resourceFiles(config);
  files.write(config.views);
  const adminSocket = join(config.folder, "admin.sock");
  writeFileSync(join(config.folder, "bootstrap.json"), JSON.stringify(bootstrap(config.folder, adminSocket)));
  const args = ["-c", join(config.folder, "bootstrap.json"), "--concurrency", "1", "--disable-hot-restart"];
  const child = spawn(envoyBinary ?? "", [...args, "--log-level", "error"], { stdio: ["ignore", "ignore", "inherit"] });
  await vi.waitUntil(() => isLive(child, adminSocket), { timeout: 20_000, interval: 20 });
  return {
    update: (views) => files.write(views),
    stat: async (name) => {
      const text = await askAdmin(adminSocket, `/stats?filter=^${name.replaceAll(".", "\\.")}$`);
      return Number(text.split(": ")[1] ?? 0);
    },
    async stop() {
      if (child.exitCode === null && child.kill("SIGKILL")) await once(child, "exit");
    },
  };
}

/** Ports that were free a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, "127.0.0.1");
      await once(server, "listening");
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  for (const server of servers) server.close();
  return ports;
}

async function isLive(child: ChildProcess, adminSocket: string): Promise<boolean> {
  if (child.exitCode !== null) throw new Error(`Envoy ended with ${child.exitCode} before it was ready`);
  return (await askAdmin(adminSocket, "/ready").catch(() => "")).trim() === "LIVE";
}

function askAdmin(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => resolve(text));
    });
    asked.on("error", reject);
    asked.end();
  });
}

function bootstrap(folder: string, adminSocket: string): Json {
  return {
    node: { id: folder, cluster: "test" },
    admin: { address: { pipe: { path: adminSocket } } },
    dynamic_resources: {
      cds_config: fromFile(join(folder, "clusters.json")),
      lds_config: fromFile(join(folder, "listeners.json")),
    },
    cluster_manager: { enable_deferred_cluster_creation: true },
  };
}

function fromFile(path: string): Json {
  return { path_config_source: { path }, resource_api_version: "V3" };
}

async function writeSecrets({ folder, serviceAccount, authority }: ProxyConfig): Promise<void> {
  const identity = { namespace: "ns", serviceAccount };
  const leaf = await authority.issue({
    ...serviceNames(identity, "cluster.local"),
    keyAlgorithm: "ECDSA",
    keyBits: 0,
    validityMs: 3_600_000,
    nowMs: Date.now(),
  });
  const certificate = encodeServiceCertificate({
    name: "service-cert",
    certificateChainPem: leaf.certificatePem,
    privateKeyPem: leaf.privateKeyPem.reveal(),
  });
  const bundle = encodeTrustBundle({ name: "root-cert", rootsPem: authority.rootsPem });
  for (const [name, bytes] of Object.entries({ "service-cert": certificate, "root-cert": bundle })) {
    replaceFile(secretFile(folder, name), [{ "@type": SECRET, ...(decodeToJson(SECRET, bytes) as Json) }]);
  }
}

function resourceFiles({ folder, ports }: ProxyConfig): { write(views: readonly ResourceView[]): void } {
  const write = (views: readonly ResourceView[]): void => {
    const clusters: Json[] = [];
    const listeners: Json[] = [];
    for (const view of views) {
      const { typeUrl, name, bytes } = generate(view);
      const decoded = readFromFiles(folder, name, decodeToJson(typeUrl, bytes)) as Json;
      const resource = { "@type": typeUrl, ...decoded };
      if (typeUrl === RESOURCE_TYPE_URLS.cluster) clusters.push(resource);
      else if (typeUrl === RESOURCE_TYPE_URLS.listener) listeners.push({ ...resource, ...bindTo(ports[name] ?? []) });
      else replaceFile(resourceFile(folder, name), [resource]);
    }
    replaceFile(join(folder, "clusters.json"), clusters);
    replaceFile(join(folder, "listeners.json"), listeners);
  };
  return { write };
}

function bindTo(ports: readonly number[]): Json {
  const [first, ...others] = ports.map((port_value) => ({ socket_address: { address: "127.0.0.1", port_value } }));
  return { address: first ?? {}, additional_addresses: others.map((address) => ({ address })) };
}

/** Replaces every "ask on the aggregated stream" by the file of what is asked for. */
function readFromFiles(folder: string, self: string, value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map((item) => readFromFiles(folder, self, item));
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).map(([key, item]) => {
    if (key === "eds_config") return [key, fromFile(resourceFile(folder, self))];
    if (key === "config_source") return [key, fromFile(resourceFile(folder, String(value["route_config_name"])))];
    if (key === "sds_config") return [key, fromFile(secretFile(folder, String(value["name"])))];
    return [key, readFromFiles(folder, self, item)];
  });
  return Object.fromEntries(entries) as JsonValue;
}

function resourceFile(folder: string, name: string): string {
  return join(folder, `resource-${encodeURIComponent(name)}.json`);
}

function secretFile(folder: string, name: string): string {
  return join(folder, `secret-${name}.json`);
}

/** Envoy follows renames. */
function replaceFile(path: string, resources: readonly JsonValue[]): void {
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(`${path}.new`, JSON.stringify({ resources }), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
