import { type ChildProcess, fork } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { backoff, type Clock } from "../lib/mod.ts";
import { type ControlPlaneOptions, type HostPort, StartError } from "./options.ts";

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

/**
 * Runs the control plane as a child and starts it again, on the ports it had, whenever it ends. Before it has served for the
 * first time a refusal is final; later one is taken for passing, for what it names worked before.
 */
export function keepControlPlane(
  options: ControlPlaneOptions,
  edge: {
    readonly clock: Clock;
    readonly random: () => number;
    /** What the child prints for people, and its log; whole lines. */
    readonly write: (text: string) => void;
    readonly note: (text: string) => void;
  },
): ControlPlaneChild {
  const admin = Promise.withResolvers<HostPort>();
  const serving = Promise.withResolvers<{ xds: HostPort; admin: HostPort }>();
  admin.promise.catch(() => undefined);
  serving.promise.catch(() => undefined);
  const delays = backoff({ baseMs: RESTART_BASE_MS, maxMs: RESTART_MAX_MS, random: edge.random });
  let fixed = options;
  let hasServed = false;
  let isStopping = false;
  let child: ChildProcess;
  let ended: Promise<void>;

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
  const start = () => {
    const startedMs = edge.clock.monotonic();
    const entry = fileURLToPath(new URL("./control-plane-process.ts", import.meta.url));
    child = fork(entry, [JSON.stringify(fixed)], { stdio: ["ignore", "pipe", "pipe", "ipc"] });
    passOn(child.stdout, edge.write);
    passOn(child.stderr, edge.note);
    child.on("message", (message) => hear(message as ControlPlaneMessage));
    ended = new Promise((resolve) => {
      child.once("error", () => resolve());
      child.once("exit", (code, signal) => {
        resolve();
        if (isStopping) return;
        if (!hasServed) return fail(`the control plane ended before it served (${signal ?? `exit code ${code}`})`);
        if (edge.clock.monotonic() - startedMs > WELL_MS) delays.reset();
        edge.note(`The control plane ended (${signal ?? `exit code ${code}`}); it is started again, pods go on\n`);
        edge.clock.after(delays.next(), () => {
          if (!isStopping) start();
        });
      });
    });
  };
  start();
  return {
    serving: serving.promise,
    admin: admin.promise,
    pid: () => (child.exitCode === null && child.signalCode === null ? child.pid : undefined),
    async stop() {
      isStopping = true;
      child.kill("SIGTERM");
      const cancel = edge.clock.after(STOP_MS, () => child.kill("SIGKILL"));
      await ended;
      cancel();
    },
  };
}

/** Lines, so that what two processes print is never mixed within one. */
function passOn(stream: Readable | null, write: (text: string) => void): void {
  if (stream !== null) createInterface({ input: stream }).on("line", (line) => write(`${line}\n`));
}
