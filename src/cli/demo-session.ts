import { execFile } from "node:child_process";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { ProxyStatus, RotationResult } from "../admin/api.ts";
import {
  type DemoApp,
  type DemoStep,
  formatHostPort,
  type ServeAddresses,
  StartError,
  startDemoMesh,
} from "../main/mod.ts";
import { type MeshClient, meshClient } from "./client.ts";
import { type CommandContext, CommandError } from "./command.ts";
import { type ReportReader, readReports } from "./demo-reports.ts";
import { createTraffic, isServed, type Traffic } from "./demo-traffic.ts";

/** A running demo, as the guide sees it. */
export interface DemoSession {
  readonly traffic: Traffic;
  /** Seconds from the start until the buyer got its first answer over mutual TLS. */
  readonly firstAnswer: Promise<number>;
  readonly ready: Promise<ServeAddresses>;
  /** Rejects when the mesh ends by itself, or when the person wants it to end. */
  readonly ended: Promise<never>;
  put(step: DemoStep): void;
  proxies(): Promise<readonly ProxyStatus[]>;
  /** Gives everybody a new certificate; resolves with the number of proxies when all have acknowledged. */
  rotate(): Promise<number>;
  killControlPlane(): boolean;
  /** Clusters, endpoints, listeners and routes that the control plane has sent since it started. */
  resourcesSent(): Promise<number>;
  /** Serial number of the certificate that new connections to a bookstore get. */
  presentedSerial(): Promise<string>;
  /** Resolves with the first report of each of `apps` that is written from now on. */
  freshReports(apps: readonly DemoApp[]): Promise<void>;
  /** Waits until `isMet` gives something; asks again whenever programs have reported. */
  until<T>(isMet: () => T | undefined | Promise<T | undefined>, timeoutMs: number): Promise<T | undefined>;
  stop(): Promise<void>;
}

export interface DemoSessionOptions {
  readonly stateDir?: string;
  readonly workers: number;
  /** A line that the control plane prints for people. */
  readonly line: (text: string) => void;
  readonly note: (text: string) => void;
}

const CHECK_INTERVAL_MS = 50;
/** A program that makes calls reports each second. */
const FRESH_TIMEOUT_MS = 5000;
const BOOKSTORE = { namespace: "bookstore", serviceAccount: "bookstore-v1", port: 14001 };
const SERVER_NAME = "bookstore-v1.bookstore.svc.cluster.local";

/** Thrown when the person ends the demo. */
export class DemoStopped extends Error {
  override readonly name = "DemoStopped";
}

/** Starts the mesh of the demo and listens to what its programs report. */
export async function startDemoSession(options: DemoSessionOptions, context: CommandContext): Promise<DemoSession> {
  const startedMs = performance.now();
  const mesh = await startDemoMesh(options, { write: options.line, note: options.note, env: context.env });
  const traffic = createTraffic();
  const ended = Promise.race([mesh.ended, whenStopped(context.signal)]);
  let isEnded = false;
  ended.catch(() => {
    isEnded = true;
  });
  const first = Promise.withResolvers<number>();
  let reader: ReportReader | undefined;
  const client = mesh.admin.then(({ host, port }) => {
    const found = meshClient({ values: { admin: `${host}:${port}` }, positionals: [], rest: [] }, context);
    reader = readReports(found, (report) => {
      traffic.add(report, performance.now());
      if (report.app === "bookbuyer" && report.calls.some(isServed)) {
        first.resolve((performance.now() - startedMs) / 1000);
      }
    });
    return found;
  });
  client.catch(() => undefined);
  const until: DemoSession["until"] = (isMet, timeoutMs) =>
    Promise.race([waitFor(isMet, () => isEnded, timeoutMs), ended]);
  const proxies = async () => (await (await client).get("/debug/proxies")) as readonly ProxyStatus[];
  return {
    traffic,
    firstAnswer: first.promise,
    ready: mesh.ready,
    ended,
    put(step) {
      for (const { from, to } of step.puts) mesh.put(from, to);
    },
    proxies,
    async rotate() {
      const result = (await (await client).control("POST", "/certificates/rotate")) as RotationResult;
      return result.proxies;
    },
    killControlPlane: mesh.killControlPlane,
    async resourcesSent() {
      const answer = await fetch(`http://${formatHostPort(await mesh.admin)}/metrics`);
      return countSent(await answer.text());
    },
    presentedSerial: async () => await presentedSerial(await client, await proxies()),
    async freshReports(apps) {
      // What is written by now may tell of the time before.
      await reader?.read();
      const before = apps.map((app) => traffic.heard(app));
      const isFresh = () => apps.every((app, index) => traffic.heard(app) > (before[index] ?? 0));
      await until(() => isFresh() || undefined, FRESH_TIMEOUT_MS);
    },
    until,
    async stop() {
      reader?.stop();
      await mesh.stop();
    },
  };
}

async function waitFor<T>(
  isMet: () => T | undefined | Promise<T | undefined>,
  isEnded: () => boolean,
  timeoutMs: number,
): Promise<T | undefined> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const found = await isMet();
    if (found !== undefined || isEnded() || performance.now() >= deadline) return found;
    await pause(CHECK_INTERVAL_MS);
  }
}

function whenStopped(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = () => reject(new DemoStopped());
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
  });
}

/** Sums up the counter of resources sent; secrets do not count, for a new control plane issues new ones. */
function countSent(metrics: string): number {
  const counts = metrics.matchAll(/^osm_xds_resources_sent_total\{type="(?:CDS|EDS|LDS|RDS)"\} (\d+)$/gm);
  return [...counts].reduce((total, [, count]) => total + Number(count), 0);
}

/** How to run a program where the pods' network is. */
interface NodeExecPlan {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

async function presentedSerial(client: MeshClient, proxies: readonly ProxyStatus[]): Promise<string> {
  const store = proxies.find(
    ({ namespace, serviceAccount }) => namespace === BOOKSTORE.namespace && serviceAccount === BOOKSTORE.serviceAccount,
  );
  if (store === undefined) throw new CommandError("osm demo: there is no pod of the bookstore");
  const { argv, env, cwd } = (await client.node("GET", "/exec")) as NodeExecPlan;
  const script = fileURLToPath(new URL("./demo-handshake.ts", import.meta.url));
  const [program = "", ...args] = [
    ...argv,
    process.execPath,
    script,
    store.address,
    String(BOOKSTORE.port),
    SERVER_NAME,
  ];
  const { stdout } = await promisify(execFile)(program, args, { env: { ...env }, cwd });
  return stdout.trim();
}

/** A failure of the mesh as the one sentence to show; anything else as it is. */
export function explainFailure(error: unknown): unknown {
  return error instanceof StartError ? new CommandError(`osm demo: ${error.message}`) : error;
}
