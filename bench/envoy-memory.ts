/** What a real Envoy occupies in a large permissive mesh, with and without a scope: the sidecar's side of a control plane's choices. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { killedAtExit, removedAtExit } from "../src/fleet/at-exit.ts";
import { type KubeObject, namedShape, World } from "../src/fleet/mod.ts";
import { type ControlPlaneProcess, startControlPlane } from "./control-plane.ts";
import { type ExactCount, type Findings, type Measurement, summarize } from "./measurement.ts";

const NAME = "envoy-memory";
const CLI = fileURLToPath(new URL("../src/main/cli.ts", import.meta.url));
const STARTS = 3;
/** Of 25 services each, so that a namespace and as many of others are 50. */
const NAMESPACES = 40;
const SCOPE = 50;
const WARM_MS = 60_000;
/** Envoy is warm when it has its listeners; what it made them of is freed a moment later. */
const SETTLE_MS = 3000;

interface Variation {
  readonly name: string;
  readonly isScoped: boolean;
  /** Whether Envoy makes clusters and their stats when they are first used, as our bootstrap says. OSM's does not. */
  readonly isDeferred: boolean;
}

const VARIATIONS: readonly Variation[] = [
  { name: "all 1,000 services", isScoped: false, isDeferred: true },
  { name: `a scope of ${SCOPE}`, isScoped: true, isDeferred: true },
  { name: "all 1,000 services, no deferred creation", isScoped: false, isDeferred: false },
  { name: `a scope of ${SCOPE}, no deferred creation`, isScoped: true, isDeferred: false },
];

/** Skipped, with the reason on standard error, where OSM_ENVOY names no Envoy. */
export const envoyMemorySuite = {
  name: NAME,
  async run(isWanted: (name: string) => boolean): Promise<Findings> {
    const found: Findings[] = [];
    const envoy = process.env["OSM_ENVOY"];
    for (const variation of VARIATIONS) {
      if (!isWanted(`${NAME}/${variation.name}`)) continue;
      if (envoy === undefined) {
        process.stderr.write(`skipped: ${NAME}: OSM_ENVOY names no Envoy\n`);
        break;
      }
      found.push(await measure(variation, envoy));
    }
    return {
      measurements: found.flatMap(({ measurements }) => measurements),
      counts: found.flatMap(({ counts }) => counts),
    };
  },
};

interface Sample {
  readonly warmMs: number;
  readonly residentMiB: number;
  readonly allocatedMiB: number;
  readonly clusters: number;
  readonly bytes: number;
}

async function measure(variation: Variation, envoy: string): Promise<Findings> {
  const folder = mkdtempSync(join(tmpdir(), "osm-bench-envoy-"));
  const remove = removedAtExit(folder);
  const { objects, pod } = meshOf(variation);
  writeFileSync(join(folder, "mesh.json"), JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }));
  const samples: Sample[] = [];
  try {
    const plane = await startControlPlane(folder, { workers: 1 });
    try {
      for (let start = 0; start < STARTS; start++) samples.push(await measureOnce(variation, envoy, plane, pod));
    } finally {
      await plane.stop();
    }
  } finally {
    remove();
  }
  const name = `${NAME}/${variation.name}`;
  const of = (what: string, unit: Measurement["unit"], values: readonly number[]): Measurement => ({
    name: `${name}: ${what}`,
    unit,
    samples: summarize(values),
  });
  const counts: ExactCount[] = [{ name: `${name}: clusters that Envoy knows`, value: samples[0]?.clusters ?? 0 }];
  return {
    measurements: [
      of(
        "resident memory of Envoy",
        "MiB",
        samples.map(({ residentMiB }) => residentMiB),
      ),
      of(
        "allocated in Envoy",
        "MiB",
        samples.map(({ allocatedMiB }) => allocatedMiB),
      ),
      of(
        "start of Envoy to warm",
        "ms",
        samples.map(({ warmMs }) => warmMs),
      ),
      of(
        "bytes from the control plane",
        "bytes",
        samples.map(({ bytes }) => bytes),
      ),
    ],
    counts,
  };
}

/** XLP: 1,000 services of five pods, permissive. With a scope, the first namespace sees itself and enough services of others. */
function meshOf({ isScoped }: Variation) {
  const shape = namedShape("XLP");
  if (shape === undefined) throw new Error("the fleet has no shape XLP");
  const world = new World({ ...shape, namespaces: NAMESPACES, splits: 0 });
  const objects = world.objects();
  const services = objects.filter(({ kind }) => kind === "Service").map(({ metadata }) => metadata);
  const namespace = services[0]?.namespace ?? "";
  const own = services.filter((service) => service.namespace === namespace);
  const others = services.filter((service) => service.namespace !== namespace).slice(0, SCOPE - own.length);
  const scope = others.map((service) => `${service.namespace}/${service.name}`).join(", ");
  const annotated = (object: KubeObject): KubeObject =>
    object.kind === "Namespace" && object.metadata.name === namespace
      ? { ...object, metadata: { ...object.metadata, annotations: { "openservicemesh.io/outbound-scope": scope } } }
      : object;
  const pod = objects.find(({ kind, metadata }) => kind === "Pod" && metadata.namespace === namespace)?.metadata;
  if (pod === undefined) throw new Error(`there is no pod in namespace "${namespace}"`);
  return { objects: isScoped ? objects.map(annotated) : objects, pod: { namespace, name: pod.name } };
}

async function measureOnce(
  variation: Variation,
  envoy: string,
  plane: ControlPlaneProcess,
  pod: { readonly namespace: string; readonly name: string },
): Promise<Sample> {
  const folder = mkdtempSync(join(tmpdir(), "osm-bench-proxy-"));
  const remove = removedAtExit(folder);
  const proxy = join(folder, "proxy");
  const admin = join(folder, "admin.sock");
  const asking = [CLI, "proxy", "bootstrap", pod.name, "-n", pod.namespace, "-o", proxy, "--admin", plane.admin];
  await promisify(execFile)(process.execPath, asking);
  const file = join(proxy, "bootstrap.yaml");
  const bootstrap = JSON.parse(readFileSync(file, "utf8")) as Record<string, object>;
  const settings = {
    ...bootstrap,
    admin: { address: { pipe: { path: admin } } },
    cluster_manager: { enable_deferred_cluster_creation: variation.isDeferred },
    deferred_stat_options: { enable_deferred_creation_stats: variation.isDeferred },
  };
  writeFileSync(file, JSON.stringify(settings), { mode: 0o600 });
  const startedAt = performance.now();
  const args = ["-c", file, "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"];
  const child = spawn(envoy, args, { stdio: ["ignore", "ignore", "inherit"] });
  killedAtExit(child);
  try {
    await becomesWarm(child, admin, startedAt);
    const warmMs = performance.now() - startedAt;
    await wait(SETTLE_MS);
    const memory = JSON.parse(await ask(admin, "/memory")) as { allocated: string };
    return {
      warmMs,
      residentMiB: residentMiB(child.pid ?? 0),
      allocatedMiB: Number(memory.allocated) / 2 ** 20,
      clusters: await stat(admin, "cluster_manager.cluster_added"),
      bytes: await stat(admin, "cluster.osm-controller.upstream_cx_rx_bytes_total"),
    };
  } finally {
    if (child.exitCode === null && child.kill("SIGKILL")) await once(child, "exit");
    remove();
  }
}

async function becomesWarm(child: ChildProcess, admin: string, startedAt: number): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`Envoy ended with ${child.exitCode} before it was warm`);
    if (performance.now() - startedAt > WARM_MS) throw new Error(`Envoy was not warm after ${WARM_MS} ms`);
    if (existsSync(admin) && (await isWarm(admin))) return;
    await wait(20);
  }
}

/** The admin socket is there before it answers. */
async function isWarm(admin: string): Promise<boolean> {
  const answer = await ask(admin, "/ready").catch(() => "");
  return answer.trim() === "LIVE" && (await stat(admin, "listener_manager.total_listeners_active")) > 0;
}

async function stat(admin: string, name: string): Promise<number> {
  const text = await ask(admin, `/stats?filter=^${name.replaceAll(".", "\\.")}$`);
  const value = text.split(": ")[1];
  if (value === undefined) throw new Error(`this Envoy has no counter ${name}`);
  return Number(value);
}

function ask(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => resolve(text));
    });
    asked.on("error", reject).end();
  });
}

function residentMiB(pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(found?.[1] ?? 0) / 1024;
}
