import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { systemClock } from "../../src/lib/mod.ts";
import type { ExecPlan, PodSummary } from "../../src/local/mod.ts";
import { localPodsObstacle, type NodeProcess, startNode } from "../../src/local/mod.ts";
import { requestJson } from "../../src/platform/json-request.ts";

/** Why pods cannot run here, for the name of a skipped test. */
export const obstacle = localPodsObstacle(process.env);

export interface Output {
  readonly code: number | null;
  readonly stdout: string;
}

/** A folder whose pods run, and what a test does with it. */
export interface ServedFolder {
  readonly node: NodeProcess;
  readonly dir: string;
  readonly stateDir: string;
  readonly socket: string;
  put(file: string, text: string): void;
  pods(): Promise<readonly PodSummary[]>;
  /** Waits until `condition` holds for all pods that there are. */
  until(condition: (pods: readonly PodSummary[]) => boolean): Promise<readonly PodSummary[]>;
  exec(namespace: string, pod: string, ...command: string[]): Promise<Output>;
  stop(): Promise<void>;
}

/** Paths of one folder and its state, in a temporary place. */
export function folderPaths(files: Readonly<Record<string, string>>) {
  const root = mkdtempSync(join(tmpdir(), "osm-local-"));
  const dir = mkdtempSync(join(root, "dir-"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
  const sockets = { xds: join(root, "xds.sock"), control: join(root, "control.sock"), node: join(root, "node.sock") };
  return { root, dir, stateDir: join(root, "state"), sockets };
}

export function nodeOptions(paths: ReturnType<typeof folderPaths>) {
  return {
    entry: fileURLToPath(new URL("../../src/main/node-process.ts", import.meta.url)),
    dir: paths.dir,
    stateDir: paths.stateDir,
    caDir: join(paths.stateDir, "ca"),
    sockets: paths.sockets,
    healthcheckCommand: ["false"],
    meshName: "osm",
    osmNamespace: "osm-system",
    clusterDomain: "cluster.local",
    callerEnvironment: process.env,
    clock: systemClock(),
    onLog: () => undefined,
    onRejections: () => undefined,
  };
}

/** Serves `files` without a control plane: pods outside the mesh need none. */
export async function serveFolder(files: Readonly<Record<string, string>>): Promise<ServedFolder> {
  const paths = folderPaths(files);
  const node = startNode(nodeOptions(paths));
  await node.listening;
  const socket = paths.sockets.node;
  const pods = async () => (await askNode(socket, "/pods")) as readonly PodSummary[];
  return {
    node,
    dir: paths.dir,
    stateDir: paths.stateDir,
    socket,
    pods,
    put: (file, text) => writeFileSync(join(paths.dir, file), text),
    async until(condition) {
      for (;;) {
        const found = await pods();
        if (condition(found)) return found;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    async exec(namespace, pod, ...command) {
      const plan = (await askNode(socket, `/pods/${namespace}/${pod}/exec`)) as ExecPlan;
      return await run([...plan.argv, ...command], plan);
    },
    async stop() {
      await node.stop();
      rmSync(paths.root, { recursive: true, force: true });
    },
  };
}

function run(argv: readonly string[], { env, cwd }: Pick<ExecPlan, "env" | "cwd">): Promise<Output> {
  const [program = "", ...args] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env: { ...env }, cwd, stdio: ["ignore", "pipe", "inherit"] });
    let stdout = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout }));
  });
}

export function askNode(socketPath: string, path: string): Promise<unknown> {
  return requestJson({ address: { socketPath }, method: "GET", path });
}
