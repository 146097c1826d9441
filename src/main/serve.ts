import { createHash } from "node:crypto";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { systemClock } from "../lib/mod.ts";
import { type NodeProcess, NodeStartError, startNode } from "../local/mod.ts";
import { makeFolder } from "../platform/mod.ts";
import { keepControlPlane } from "./control-plane-child.ts";
import { socketPaths } from "./control-plane-state.ts";
import { nodePods } from "./node-questions.ts";
import {
  type ControlPlaneOptions,
  formatHostPort,
  type HostPort,
  type PodAddress,
  type ServeOptions,
  StartError,
} from "./options.ts";
import { createRejectionLines } from "./rejection-lines.ts";
import { lockStateDir, type StateLock } from "./state-lock.ts";
import { ownVersion } from "./version.ts";

export interface ServeIo {
  /** Data. */
  readonly write: (text: string) => void;
  /** Everything else. */
  readonly note: (text: string) => void;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface RunningServe {
  /** Resolves when proxies are served and every pod is ready or has been named as unable to be. */
  readonly ready: Promise<ServeAddresses>;
  /** The admin address in use, known before the mesh is ready. */
  readonly admin: Promise<HostPort>;
  /** Process id of the control plane; undefined while it is being started again. */
  controlPlanePid(): number | undefined;
  /** Ends when the mesh does by itself: rejects with {@link StartError} saying why. */
  readonly ended: Promise<never>;
  stop(): Promise<void>;
}

/** What the ready file says, but for its form. */
export interface ServeAddresses {
  readonly xds: HostPort;
  readonly admin: HostPort;
  readonly pods: readonly PodAddress[];
}

/** Longest path of a unix socket that every system takes, less the longest name that is put below. */
const SOCKET_DIR_MAX = 100 - "/control.sock".length;
const CLUSTER_DOMAIN = "cluster.local";

/** Runs a mesh until `signal` aborts. Throws {@link StartError} when it cannot be started or cannot go on. */
export async function serve(options: ServeOptions, io: ServeIo & { readonly signal: AbortSignal }): Promise<void> {
  const aborted = new Promise<void>((resolve) => {
    if (io.signal.aborted) resolve();
    io.signal.addEventListener("abort", () => resolve(), { once: true });
  });
  const running = await startServe(options, io);
  try {
    running.ready.catch(() => undefined);
    await Promise.race([aborted, running.ended]);
  } finally {
    await running.stop();
  }
}

/** Starts a mesh: the state dir is locked, the ready file of an earlier run is gone, and the parts are on their way. */
export async function startServe(options: ServeOptions, io: ServeIo): Promise<RunningServe> {
  const socketDir = socketDirOf(options.stateDir);
  const lock = await lockStateDir(options.stateDir, socketDir);
  const full: ControlPlaneOptions = { ...options, socketDir, version: ownVersion() };
  let parts: RunningServe;
  try {
    prepareReadyFile(options);
    parts = options.hasPods ? startParts(full, io) : await startAlone(full, io);
  } catch (error) {
    await lock.release();
    throw error;
  }
  const ready = parts.ready.then((addresses) => {
    announce(options, addresses, io);
    writeReadyFile(options, addresses);
    return addresses;
  });
  ready.catch(() => undefined);
  const never = new Promise<never>(() => undefined);
  const unannounced = ready.then(
    () => never,
    (error: unknown) => {
      if (error instanceof StartError) throw error;
      // A part has ended, which `parts.ended` says in words.
      return never;
    },
  );
  const ended = Promise.race([parts.ended, unannounced]);
  ended.catch(() => undefined);
  let stopped: Promise<void> | undefined;
  return {
    ...parts,
    ready,
    ended,
    stop() {
      stopped ??= end(parts, options, lock);
      return stopped;
    },
  };
}

/** The lock goes last: from then on the ready file may be another run's. */
async function end(parts: RunningServe, options: ServeOptions, lock: StateLock): Promise<void> {
  try {
    await parts.stop();
  } finally {
    removeReadyFile(options);
    await lock.release();
  }
}

/** Only the control plane, in this process. */
async function startAlone(options: ControlPlaneOptions, io: ServeIo): Promise<RunningServe> {
  const { startControlPlane } = await import("./control-plane.ts");
  const plane = await startControlPlane(options, {
    line: (text) => io.write(`${text}\n`),
    logLine: io.note,
  });
  const ended = plane.serving.then(() => new Promise<never>(() => undefined));
  ended.catch(() => undefined);
  return {
    ready: plane.serving.then((xds) => ({ xds, admin: plane.admin, pods: plane.pods() })),
    admin: Promise.resolve(plane.admin),
    controlPlanePid: () => process.pid,
    ended,
    stop: () => plane.stop(),
  };
}

/** The control plane as a child, and the process that runs the pods. */
function startParts(options: ControlPlaneOptions, io: ServeIo): RunningServe {
  const sockets = socketPaths(options.socketDir);
  const node = startPods(options, io);
  const plane = keepControlPlane(options, { clock: systemClock(), random: Math.random, ...io });
  const nodeEnded = node.ended.then((why) => {
    throw new StartError(why ?? "the pods were stopped");
  });
  const ended = Promise.race([nodeEnded, plane.serving.then(() => new Promise<never>(() => undefined))]);
  ended.catch(() => undefined);
  nodeEnded.catch(() => undefined);
  const ready = async (): Promise<ServeAddresses> => {
    const addresses = await plane.serving;
    await Promise.all([node.listening, node.settled]);
    return { ...addresses, pods: await nodePods(sockets.node, io.note) };
  };
  return {
    ready: ready(),
    admin: plane.admin,
    controlPlanePid: () => plane.pid(),
    ended,
    async stop() {
      await node.stop();
      await plane.stop();
    },
  };
}

function startPods(options: ControlPlaneOptions, io: ServeIo): NodeProcess {
  try {
    const envoy = io.env["OSM_ENVOY"];
    return startNode({
      entry: fileURLToPath(new URL("./node-process.ts", import.meta.url)),
      dir: options.dir,
      stateDir: options.stateDir,
      sockets: socketPaths(options.socketDir),
      ...(envoy === undefined || envoy === "" ? {} : { envoy }),
      healthcheckCommand: [process.execPath, fileURLToPath(new URL("./cli.ts", import.meta.url)), "healthcheck"],
      meshName: options.meshName,
      osmNamespace: options.osmNamespace,
      clusterDomain: CLUSTER_DOMAIN,
      callerEnvironment: { ...io.env },
      clock: systemClock(),
      onLog: (line) => io.note(`${line}\n`),
      onRejections: createRejectionLines((line) => io.write(`${line}\n`)),
    });
  } catch (error) {
    if (error instanceof NodeStartError) throw new StartError(error.message);
    throw error;
  }
}

/** The state dir itself, or a private folder of the system's for temporary files where that path is too long. */
function socketDirOf(stateDir: string): string {
  if (Buffer.byteLength(stateDir) <= SOCKET_DIR_MAX) return stateDir;
  const user = process.getuid?.() ?? 0;
  return join(tmpdir(), `osm-${user}-${createHash("sha256").update(stateDir).digest("hex").slice(0, 12)}`);
}

function announce(options: ServeOptions, { xds, admin, pods }: ServeAddresses, io: ServeIo): void {
  const count = `${pods.length} ${options.hasPods ? "local " : ""}${pods.length === 1 ? "pod" : "pods"}`;
  const what = options.hasPods ? count : `${count} of the folder`;
  io.write(
    `Serving ${options.dir}: ${what}; xDS on ${formatHostPort(xds)}, admin on http://${formatHostPort(admin)}\n`,
  );
}

function writeReadyFile({ readyFile }: ServeOptions, { xds, admin, pods }: ServeAddresses): void {
  if (readyFile === undefined) return;
  const content = { xds: formatHostPort(xds), admin: formatHostPort(admin), pods };
  try {
    writeFileSync(stagedReadyFile(readyFile), `${JSON.stringify(content, null, 2)}\n`);
    renameSync(stagedReadyFile(readyFile), readyFile);
  } catch (error) {
    throw new StartError(`the ready file ${readyFile} cannot be written: ${reasonOf(error)}`);
  }
}

/** An earlier run's is gone, and this run's can be written. */
function prepareReadyFile(options: ServeOptions): void {
  const { readyFile } = options;
  if (readyFile === undefined) return;
  try {
    removeReadyFile(options);
    makeFolder(dirname(readyFile), 0o777);
    writeFileSync(stagedReadyFile(readyFile), "");
    rmSync(stagedReadyFile(readyFile));
  } catch (error) {
    throw new StartError(`the ready file ${readyFile} cannot be written: ${reasonOf(error)}`);
  }
}

function removeReadyFile({ readyFile }: ServeOptions): void {
  if (readyFile !== undefined) rmSync(readyFile, { force: true });
}

const stagedReadyFile = (readyFile: string) => `${readyFile}.${process.pid}`;

const reasonOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
