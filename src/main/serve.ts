import { createHash } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { makeFolder } from "../platform/mod.ts";
import { type ControlPlaneOptions, formatHostPort, type ServeOptions, StartError } from "./options.ts";
import type { RunningServe, ServeAddresses, ServeIo } from "./running-serve.ts";
import { lockStateDir, type StateLock } from "./state-lock.ts";
import { ownVersion } from "./version.ts";

/** Longest path of a unix socket that every system takes, less the longest name that is put below. */
const SOCKET_DIR_MAX = 100 - "/control.sock".length;

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
    parts = options.hasPods ? await startWithPods(full, io) : await startAlone(full, io);
  } catch (error) {
    await lock.release();
    throw error;
  }
  let writing: Promise<void> | undefined;
  const ready = parts.ready.then(async (addresses) => {
    announce(options, addresses, io);
    writing = writeReadyFile(options, addresses);
    await writing;
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
      stopped ??= end(parts, () => writing, options, lock);
      return stopped;
    },
  };
}

/** The lock goes last: from then on the ready file may be another run's. */
async function end(
  parts: RunningServe,
  writing: () => Promise<void> | undefined,
  options: ServeOptions,
  lock: StateLock,
): Promise<void> {
  try {
    await parts.stop();
  } finally {
    // That it could not be written is told where readiness is waited for.
    await writing()?.catch(() => undefined);
    removeReadyFile(options);
    await lock.release();
  }
}

/** The control plane and the pods, in processes of their own. Loaded when asked for, as what is not needed takes memory. */
async function startWithPods(options: ControlPlaneOptions, io: ServeIo): Promise<RunningServe> {
  return (await import("./serve-with-pods.ts")).startParts(options, io);
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

async function writeReadyFile({ readyFile }: ServeOptions, { xds, admin, pods }: ServeAddresses): Promise<void> {
  if (readyFile === undefined) return;
  const content = { xds: formatHostPort(xds), admin: formatHostPort(admin), pods };
  try {
    await writeFile(stagedReadyFile(readyFile), `${JSON.stringify(content, null, 2)}\n`, { flag: "wx" });
    await rename(stagedReadyFile(readyFile), readyFile);
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
    rmSync(stagedReadyFile(readyFile), { force: true });
    writeFileSync(stagedReadyFile(readyFile), "", { flag: "wx" });
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
