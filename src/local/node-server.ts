import { chmodSync, rmSync } from "node:fs";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { http } from "../platform/http.ts";
import { tool } from "./command.ts";
import { enterPod } from "./container-process.ts";
import type { LocalCluster } from "./local-cluster.ts";
import type { ManagedPod } from "./managed-pod.ts";

/** What the private socket of the node tells about a pod. */
export interface PodSummary {
  readonly namespace: string;
  readonly name: string;
  readonly address: string;
  readonly serviceAccount: string;
  readonly phase: "Pending" | "Running" | "Succeeded" | "Failed";
  readonly isReady: boolean;
  /** Why it is not ready; empty when it is. */
  readonly reason: string;
  readonly containers: readonly { readonly name: string; readonly isReady: boolean; readonly restarts: number }[];
}

/** How to run a program in a container of a pod, from the host. */
export interface ExecPlan {
  /** Program and arguments to put before the command. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

function podSummaries(cluster: LocalCluster): PodSummary[] {
  return cluster.pods.pods().map(({ namespace, name, address, running, object }) => {
    const { phase, isReady, reason, containers } = running.state();
    return {
      namespace,
      name,
      address,
      serviceAccount: object().spec.serviceAccountName ?? "default",
      phase,
      isReady,
      reason,
      containers,
    };
  });
}

export interface NodeServerOptions {
  readonly socketPath: string;
  readonly cluster: LocalCluster;
  readonly cwd: string;
  /** Process id of this process as the host sees it, and whether it has a user namespace of its own. */
  readonly host: { readonly pid: number; readonly isRootless: boolean };
}

/**
 * Serves `GET /pods`, `GET /rejections`, `GET /exec` (beside the pods, as the kubelet is), `GET /pods/NS/POD/exec[?container=C]`
 * and `GET /pods/NS/POD/logs[?container=C]` on a unix socket that only its owner may use. Errors are `{"error": SENTENCE}`.
 */
export function serveNode(options: NodeServerOptions): Promise<Server> {
  const server = http.createServer((request, response) => {
    try {
      respond(response, 200, answer(request, options));
    } catch (error) {
      if (error instanceof NoSuchThing) respond(response, 404, { error: error.message });
      else throw error;
    }
  });
  rmSync(options.socketPath, { force: true });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    const mask = process.umask(0o177);
    server.listen(options.socketPath, () => {
      chmodSync(options.socketPath, 0o600);
      resolve(server);
    });
    process.umask(mask);
  });
}

class NoSuchThing extends Error {
  override readonly name = "NoSuchThing";
}

function respond(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(`${JSON.stringify(body)}\n`);
}

function answer(request: IncomingMessage, options: NodeServerOptions): unknown {
  const url = URL.parse(request.url ?? "/", "http://node");
  if (url === null) throw new NoSuchThing(`"${request.url}" is no path`);
  if (request.method !== "GET")
    throw new NoSuchThing(`${request.method} ${url.pathname}: there is nothing but GET here`);
  if (url.pathname === "/pods") return podSummaries(options.cluster);
  if (url.pathname === "/rejections") return options.cluster.rejections();
  if (url.pathname === "/exec") return { argv: enterNode(options.host), env: {}, cwd: "/" } satisfies ExecPlan;
  const [, namespace = "", name = "", what] = /^\/pods\/([^/]+)\/([^/]+)\/(exec|logs)$/.exec(url.pathname) ?? [];
  if (what === undefined) throw new NoSuchThing(`there is no ${url.pathname}`);
  const pod = findPod(options.cluster, decoded(namespace), decoded(name));
  const container = findContainer(pod, url.searchParams.get("container"));
  return what === "logs" ? { path: pod.running.logPath(container) } : execPlan(pod, container, options);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new NoSuchThing(`"${part}" is no name`);
  }
}

function findPod(cluster: LocalCluster, namespace: string, name: string): ManagedPod {
  const pods = cluster.pods.pods();
  const pod = pods.find((each) => each.namespace === namespace && each.name === name);
  if (pod !== undefined) return pod;
  const elsewhere = pods.filter((each) => each.name === name).map((each) => each.namespace);
  const hint = elsewhere.length > 0 ? `; there is one in namespace ${elsewhere.join(", ")}` : "";
  throw new NoSuchThing(`there is no pod ${name} in namespace ${namespace}${hint}`);
}

function findContainer(pod: ManagedPod, wanted: string | null): string {
  const spec = pod.object().spec;
  const names = [...spec.containers, ...(spec.initContainers ?? [])].map(({ name }) => name);
  const name = wanted ?? names[0];
  if (name !== undefined && names.includes(name)) return name;
  throw new NoSuchThing(`pod ${pod.namespace}/${pod.name} has no container ${wanted}; it has ${names.join(", ")}`);
}

function execPlan(pod: ManagedPod, container: string, { host, cwd }: NodeServerOptions): ExecPlan {
  const entry = pod.running.entry(container);
  if (entry === undefined) {
    const { reason } = pod.running.state();
    throw new NoSuchThing(
      `pod ${pod.namespace}/${pod.name} does not run container ${container}: ${reason || "it has ended"}`,
    );
  }
  const inner = enterPod({ sandboxPid: entry.sandboxPid, argv: TIED, cwd, user: entry.user });
  return { argv: [...enterNode(host), ...inner], env: entry.env, cwd: "/" };
}

/** Whoever ends the outermost process ends the command inside. */
const TIED = [tool("setpriv"), "--pdeathsig", "KILL", "--"];

/** What to put before a command that shall run in the network in which the pods are. */
function enterNode({ pid, isRootless }: NodeServerOptions["host"]): readonly string[] {
  const user = isRootless ? ["-U", "--preserve-credentials"] : [];
  return [tool("nsenter"), `--target=${pid}`, ...user, "-m", "-n", "-p", "--", ...TIED];
}
