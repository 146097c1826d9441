import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, vi } from "vitest";
import type { ProxyStatus, RejectionInfo } from "../../../src/admin/api.ts";
import { createAuthorityPem, openAuthority, serviceNames } from "../../../src/ca/mod.ts";
import type { ExecPlan } from "../../../src/local/mod.ts";
import { type RunningServe, type ServeAddresses, startServe } from "../../../src/main/mod.ts";
import type { ClientCredentials } from "../../support/delta-client.ts";
import { askNode } from "../served-folder.ts";
import { httpRoutes, type Manifest, type Mode, meshConfig } from "./manifests.ts";
import { linkPodClient, type PodClient } from "./pod-client-link.ts";

const SERVER = fileURLToPath(new URL("./pod-server.ts", import.meta.url));
const TRUST_DOMAIN = "cluster.local";

/** A folder served with local pods and real Envoys, and what tests do with it. */
export interface ServedMesh {
  readonly addresses: ServeAddresses;
  /** Replaces mode and policies, and waits until every proxy has acknowledged them. */
  policy(mode: Mode, ...manifests: readonly Manifest[]): Promise<void>;
  /** As `policy`, without waiting for anything. */
  putPolicy(mode: Mode, ...manifests: readonly Manifest[]): void;
  /** Replaces a file of the folder. */
  put(name: string, manifests: readonly Manifest[]): void;
  /** The program in a pod; started at first use. */
  in(namespace: string, pod: string): Promise<PodClient>;
  addressOf(namespace: string, pod: string): string;
  proxies(): Promise<readonly ProxyStatus[]>;
  rejections(): Promise<readonly RejectionInfo[]>;
  /** What a proxy was sent. */
  config(namespace: string, pod: string): Promise<string>;
  /** Value of a metric without labels. */
  metric(name: string): Promise<number>;
  /** Gives everybody a new certificate. */
  rotate(): Promise<{ proxies: number }>;
  /** The credential with which a proxy connects to the control plane. */
  credential(subject: { namespace: string; serviceAccount: string; uuid: string }): Promise<ClientCredentials>;
  /** Ends the control plane as the kernel would for want of memory. */
  killControlPlane(): void;
  stop(): Promise<void>;
}

/** Serves `manifests`; each of `leaves` is a file of the folder with a certificate of the mesh's CA for that account. */
export async function serveMesh(
  manifests: readonly Manifest[],
  leaves: Readonly<Record<string, { namespace: string; serviceAccount: string }>>,
): Promise<ServedMesh> {
  const root = mkdtempSync(join(tmpdir(), "osm-parity-"));
  const dir = join(root, "dir");
  mkdirSync(dir);
  const put = (name: string, items: readonly Manifest[]) => {
    writeFileSync(join(dir, `.${name}`), JSON.stringify({ apiVersion: "v1", kind: "List", items }));
    renameSync(join(dir, `.${name}`), join(dir, name));
  };
  const images = { server: [process.execPath, SERVER], client: ["sleep", "10000"] };
  writeFileSync(join(dir, "osm.local.yaml"), JSON.stringify({ images }));
  put("world.json", manifests);
  put("policy.json", [meshConfig({ isPermissive: true })]);
  await writeAuthority(root, dir, leaves);

  const lines = listener();
  const notes: string[] = [];
  const running = await startServe(optionsFor(root, dir), {
    write: (text) => lines.hear(text),
    note: (text) => void notes.push(text),
    env: process.env,
  });
  const addresses = await running.ready.catch(async (error: unknown) => {
    await running.stop();
    throw new Error(`the mesh does not start: ${error}\n${notes.join("")}`);
  });
  return meshOf({ root, running, addresses, put, lines });
}

function optionsFor(root: string, dir: string) {
  const anyPort = { host: "127.0.0.1", port: 0 };
  return {
    dir,
    hasPods: true,
    caDir: join(root, "ca"),
    stateDir: join(root, "state"),
    xds: anyPort,
    admin: anyPort,
    workers: 1,
    meshName: "osm",
    osmNamespace: "osm-system",
    trustDomain: TRUST_DOMAIN,
  };
}

interface Parts {
  readonly root: string;
  readonly running: RunningServe;
  readonly addresses: ServeAddresses;
  readonly put: ServedMesh["put"];
  readonly lines: ReturnType<typeof listener>;
}

function meshOf({ root, running, addresses, put, lines }: Parts): ServedMesh {
  const sockets = { node: join(root, "state", "node.sock"), control: join(root, "state", "control.sock") };
  const clients = new Map<string, Promise<PodClient>>();
  const admin = (path: string) => ask({ ...addresses.admin, path, method: "GET" });
  const control = async (path: string, body?: unknown) =>
    JSON.parse(await ask({ socketPath: sockets.control, path, method: "POST" }, body));
  let revision = 0;
  return {
    addresses,
    put,
    putPolicy: (mode, ...policies) => put("policy.json", [meshConfig(mode), ...policies]),
    killControlPlane() {
      const pid = running.controlPlanePid();
      if (pid !== undefined) process.kill(pid, "SIGKILL");
    },
    async policy(mode, ...manifests) {
      // An object that says nothing to anybody, so that its line tells when the edit has arrived everywhere.
      const marker = httpRoutes("aaa", "revision", [{ name: `n${++revision}` }]);
      const arrived = lines.next("HTTPRouteGroup aaa/revision");
      put("policy.json", [meshConfig(mode), marker, ...manifests]);
      await arrived;
    },
    in(namespace, pod) {
      const key = `${namespace}/${pod}`;
      const found = clients.get(key);
      if (found !== undefined) return found;
      const started = askNode(sockets.node, `/pods/${key}/exec`).then((plan) => linkPodClient(plan as ExecPlan));
      clients.set(key, started);
      return started;
    },
    addressOf(namespace, pod) {
      const found = addresses.pods.find((own) => own.namespace === namespace && own.name === pod);
      expect(found, `pod ${namespace}/${pod}`).toBeDefined();
      return found?.address ?? "";
    },
    proxies: async () => JSON.parse(await admin("/debug/proxies")),
    rejections: async () => JSON.parse(await admin("/debug/rejections")),
    config: (namespace, pod) => admin(`/debug/proxies/${namespace}/${pod}/config`),
    async metric(name) {
      const line = (await admin("/metrics")).split("\n").find((own) => own.startsWith(`${name} `));
      return Number(line?.split(" ")[1]);
    },
    rotate: () => control("/certificates/rotate"),
    async credential(subject) {
      const { certificatePem, privateKeyPem, caPem } = await control("/credentials", subject);
      return { certificatePem, privateKeyPem, rootsPem: caPem };
    },
    async stop() {
      for (const client of await Promise.all(clients.values())) client.close();
      await running.stop();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** Lines that the control plane prints. */
function listener() {
  const seen: string[] = [];
  return {
    hear: (text: string) => void seen.push(...text.split("\n")),
    /** Resolves with the first line from now on that contains `text`. */
    async next(text: string): Promise<string> {
      const from = seen.length;
      const find = () => seen.slice(from).find((line) => line.includes(text));
      return (await vi.waitUntil(find, { timeout: 10_000, interval: 5 })) ?? "";
    },
  };
}

async function writeAuthority(root: string, dir: string, leaves: Parameters<typeof serveMesh>[1]): Promise<void> {
  const now = Date.now();
  const pem = await createAuthorityPem(now);
  const authority = openAuthority(pem, now, { certificate: "ca.crt", key: "private.key" });
  mkdirSync(join(root, "ca"));
  writeFileSync(join(root, "ca", "ca.crt"), pem.certificatePem);
  writeFileSync(join(root, "ca", "private.key"), pem.privateKeyPem.reveal(), { mode: 0o600 });
  for (const [file, identity] of Object.entries(leaves)) {
    const leaf = await authority.issue({
      ...serviceNames(identity, TRUST_DOMAIN),
      keyAlgorithm: "ECDSA",
      keyBits: 0,
      validityMs: 3_600_000,
      nowMs: now,
    });
    writeFileSync(join(dir, file), `${leaf.privateKeyPem.reveal()}\n${leaf.certificatePem}`);
  }
}

function ask(
  where: { host?: string; port?: number; socketPath?: string; path: string; method: string },
  body?: unknown,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ ...where, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => {
        if (response.statusCode === 200) resolve(text);
        else reject(new Error(`${where.path}: ${response.statusCode} ${text}`));
      });
    });
    asked.on("error", reject);
    asked.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
