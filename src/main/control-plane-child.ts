import { type ChildProcess, fork } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { backoff, type Clock, type HostPort } from "../lib/mod.ts";
import { controlPlaneEnvironment, heapFlags } from "../platform/process-memory.ts";
import { tlsFlags } from "../platform/tls-settings.ts";
import { type ControlPlaneOptions, StartError } from "./options.ts";

/** What the child tells the runner. */
export type ControlPlaneMessage =
  | { readonly type: "admin"; readonly admin: HostPort }
  | { readonly type: "serving"; readonly xds: HostPort }
  /** It cannot start, and trying again does not help. */
  | { readonly type: "refused"; readonly message: string };

export interface ControlPlaneChild {
  /** The addresses in use, once proxies are served for the first time. */
  readonly serving: Promise<{ readonly xds: HostPort; readonly admin: HostPort }>;
  /** The admin address in use. */
  readonly admin: Promise<HostPort>;
  /** Process id of the child that runs now; undefined between two. */
  pid(): number | undefined;
  stop(): Promise<void>;
}

const RESTART_BASE_MS = 50;
const RESTART_MAX_MS = 5000;
/** A child that lived this long was well: its successor starts at once. */
const WELL_MS = 10_000;
const STOP_MS = 5000;

interface ChildEdge {
  /** What the child prints for people, and its log; whole lines. */
  readonly write: (text: string) => void;
  readonly note: (text: string) => void;
}

/**
 * Runs the control plane as a child and starts it again, on the ports it had, whenever it ends. Before it has served for the
 * first time a refusal is final; later one is taken for passing, for what it names worked before.
 */
export function keepControlPlane(
  options: ControlPlaneOptions,
  edge: ChildEdge & { readonly clock: Clock; readonly random: () => number },
): ControlPlaneChild {
  const { clock } = edge;
  const admin = Promise.withResolvers<HostPort>();
  const serving = Promise.withResolvers<{ xds: HostPort; admin: HostPort }>();
  // Not everybody waits for both.
  admin.promise.catch(() => undefined);
  serving.promise.catch(() => undefined);
  let fixed = options;
  let hasServed = false;
  let isStopping = false;

  const fail = (message: string) => {
    admin.reject(new StartError(message));
    serving.reject(new StartError(message));
  };
  const hear = (message: ControlPlaneMessage) => {
    if (message.type === "admin") {
      fixed = { ...fixed, admin: message.admin };
      admin.resolve(message.admin);
    } else if (message.type === "serving") {
      fixed = { ...fixed, xds: message.xds };
      hasServed = true;
      serving.resolve({ xds: message.xds, admin: fixed.admin });
    } else if (!hasServed) {
      isStopping = true;
      fail(message.message);
    }
  };
  let current = startChild(fixed, edge, hear);
  const keepRunning = async () => {
    const delays = backoff({ baseMs: RESTART_BASE_MS, maxMs: RESTART_MAX_MS, random: edge.random });
    for (;;) {
      const startedMs = clock.monotonic();
      const why = await current.ended;
      if (isStopping) return;
      if (!hasServed) return fail(`the control plane ended before it served (${why})`);
      if (clock.monotonic() - startedMs > WELL_MS) delays.reset();
      edge.note(`The control plane ended (${why}); it is started again, pods go on\n`);
      await new Promise<void>((resolve) => clock.after(delays.next(), resolve));
      if (isStopping) return;
      current = startChild(fixed, edge, hear);
    }
  };
  void keepRunning();
  return {
    serving: serving.promise,
    admin: admin.promise,
    pid: () => current.pid(),
    async stop() {
      isStopping = true;
      current.signal("SIGTERM");
      const cancel = clock.after(STOP_MS, () => current.signal("SIGKILL"));
      await current.ended;
      cancel();
    },
  };
}

/** One life of the control plane. */
interface Life {
  /** How it ended: a signal, an exit code, or why it could not be started. Never rejects. */
  readonly ended: Promise<string>;
  /** Undefined when it has ended. */
  pid(): number | undefined;
  signal(signal: "SIGTERM" | "SIGKILL"): void;
}

function startChild(options: ControlPlaneOptions, edge: ChildEdge, hear: (message: ControlPlaneMessage) => void): Life {
  const entry = fileURLToPath(new URL("./control-plane-process.ts", import.meta.url));
  let child: ChildProcess;
  try {
    child = fork(entry, [JSON.stringify(options)], {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      execArgv: [...process.execArgv, ...heapFlags(options.workers), ...tlsFlags()],
      env: controlPlaneEnvironment(options.workers, process.env),
    });
  } catch (error) {
    // The system has no room for a process just now.
    return { ended: Promise.resolve(String(error)), pid: () => undefined, signal: () => undefined };
  }
  passOn(child.stdout, edge.write);
  passOn(child.stderr, edge.note);
  child.on("message", (message) => hear(message as ControlPlaneMessage));
  const ended = new Promise<string>((resolve) => {
    child.on("error", (error) => {
      // One that runs ends with an exit all the same.
      if (child.pid === undefined) resolve(error.message);
    });
    child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  return {
    ended,
    pid: () => (child.exitCode === null && child.signalCode === null ? child.pid : undefined),
    signal: (signal) => void child.kill(signal),
  };
}

/** Lines, so that what two processes print is never mixed within one. A child that could not be started has no stream. */
function passOn(stream: Readable | null | undefined, write: (text: string) => void): void {
  if (stream) createInterface({ input: stream }).on("line", (line) => write(`${line}\n`));
}
