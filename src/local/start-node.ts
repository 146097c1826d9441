import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { delimiter } from "node:path";
import { createInterface } from "node:readline";
import type { Clock, Rejection } from "../lib/mod.ts";
import { findProgram } from "./command.ts";
import type { NodeConfig, NodeMessage } from "./node-config.ts";
import { childOf } from "./pod-sandbox.ts";

/** Local pods cannot be run on this machine as it is; the message is one sentence that says what is missing. */
export class NodeStartError extends Error {
  override readonly name = "NodeStartError";
  readonly code = "pods-unavailable";
}

export type NodeOptions = Omit<NodeConfig, "caller" | "isRootless" | "environment"> & {
  /** Path of the program that calls `runNode`. */
  readonly entry: string;
  /** Environment of whoever started the program: PATH, HOME, USER, LANG and TZ of it reach the containers. */
  readonly callerEnvironment: NodeJS.ProcessEnv;
  readonly clock: Clock;
  /** Lines of the process's log. */
  readonly onLog: (line: string) => void;
  /** Hears what cannot be made into pods, and parts without effect, whenever that has changed. */
  readonly onRejections: (rejections: readonly Rejection[]) => void;
};

export interface NodeProcess {
  /** Its socket answers. Rejects with {@link NodeStartError} when the process ends before. */
  readonly listening: Promise<void>;
  /** Every pod is ready or has been named as unable to be. */
  readonly settled: Promise<void>;
  /** Ends with the process: what went wrong, or undefined after `stop`. */
  readonly ended: Promise<string | undefined>;
  /** Ends all pods, politely at first; nothing of them lives on afterwards. */
  stop(): Promise<void>;
}

/** Where tools of the operating system are that a user's PATH may lack. */
const SYSTEM_PATH = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
/** Programs, and the Debian packages that they are in. */
const TOOLS: Readonly<Record<string, string>> = {
  unshare: "util-linux",
  nsenter: "util-linux",
  setpriv: "util-linux",
  mount: "mount",
  hostname: "hostname",
  ip: "iproute2",
  "iptables-restore": "iptables",
};
const ROOTLESS_TOOLS: Readonly<Record<string, string>> = { newuidmap: "uidmap", newgidmap: "uidmap" };
const PASSED_ON = ["PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ"];
const STOP_MS = 5000;
const WAY_OUT = "start as root (in a container: a privileged one), or use --no-pods";

/** Starts the process that runs the pods, in namespaces of its own. Throws {@link NodeStartError} when that cannot work here. */
export function startNode(options: NodeOptions): NodeProcess {
  const { entry, callerEnvironment, clock, onLog, onRejections, ...rest } = options;
  const obstacle = localPodsObstacle(callerEnvironment);
  if (obstacle !== undefined) throw new NodeStartError(obstacle);
  const uid = process.getuid?.() ?? 0;
  const isRootless = uid !== 0;
  const environment: Record<string, string> = {};
  for (const name of PASSED_ON) if (callerEnvironment[name] !== undefined) environment[name] = callerEnvironment[name];
  const config: NodeConfig = { ...rest, environment, isRootless, caller: { uid, gid: process.getgid?.() ?? 0 } };
  const child = spawnNode(entry, config, toolPath(callerEnvironment).join(delimiter));
  return follow(child, { clock, onLog, onRejections });
}

function spawnNode(entry: string, config: NodeConfig, path: string): ChildProcess {
  // The user namespace comes first: entering it would clear the death signal.
  const user = config.isRootless ? ["unshare", "-U", "--map-auto", "--map-root-user", "--"] : [];
  const tied = ["setpriv", "--pdeathsig", "KILL", "--"];
  const spaces = ["unshare", "-n", "-m", "-p", "--fork", "--kill-child", "--mount-proc", "--"];
  const [program = "", ...args] = [...user, ...tied, ...spaces, process.execPath, entry, JSON.stringify(config)];
  return spawn(program, args, {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, PATH: path },
    // A terminal's Ctrl-C is for the runner, which ends the pods in order.
    detached: true,
  });
}

function follow(
  child: ChildProcess,
  { clock, onLog, onRejections }: Pick<NodeOptions, "clock" | "onLog" | "onRejections">,
): NodeProcess {
  const { promise: listening, resolve: nowListening, reject: neverListening } = Promise.withResolvers<void>();
  const { promise: settled, resolve: nowSettled } = Promise.withResolvers<void>();
  let isStopping = false;
  let hasStarted = false;
  let lastWords = "";
  // Heard through `ended` as well; not everybody waits for it.
  listening.catch(() => undefined);
  const ended = new Promise<string | undefined>((resolve) => {
    child.once("error", (error) => {
      lastWords = error.message;
      resolve(lastWords);
    });
    child.once("close", (code, signal) => {
      const words = lastWords === "" ? "" : `: ${lastWords}`;
      const why = hasStarted
        ? `the process that runs the pods ended (${signal ?? `exit code ${code}`})${words}`
        : `this machine does not let local pods have namespaces of their own${words}; ${WAY_OUT}`;
      neverListening(new NodeStartError(why));
      resolve(isStopping ? undefined : why);
    });
  });
  if (child.stdout !== null) {
    createInterface({ input: child.stdout }).on("line", (line) => {
      const message = JSON.parse(line) as NodeMessage;
      if (message.type === "listening") nowListening();
      else if (message.type === "settled") nowSettled();
      else if (message.type === "rejections") onRejections(message.rejections);
      else hasStarted = true;
      if (message.type === "started") child.stdin?.write(`${JSON.stringify({ hostPid: childOf(child.pid ?? 0) })}\n`);
    });
  }
  if (child.stderr !== null) {
    createInterface({ input: child.stderr }).on("line", (line) => {
      if (!line.startsWith("{")) lastWords = line.slice(0, 500);
      onLog(line);
    });
  }
  // Its end is heard of by itself.
  child.stdin?.on("error", () => undefined);
  return {
    listening,
    settled,
    ended,
    async stop() {
      isStopping = true;
      child.stdin?.end();
      const cancel = clock.after(STOP_MS, () => child.kill("SIGKILL"));
      await ended;
      cancel();
    },
  };
}

/** Why local pods cannot run on this machine, as one sentence; undefined when nothing speaks against it. */
export function localPodsObstacle(environment: NodeJS.ProcessEnv): string | undefined {
  if (process.platform !== "linux") {
    return `local pods need Linux, this is ${process.platform}: use --no-pods and run your own Envoys`;
  }
  const isRootless = process.getuid?.() !== 0;
  const path = toolPath(environment);
  const tools = Object.entries({ ...TOOLS, ...(isRootless ? ROOTLESS_TOOLS : {}) });
  const missing = tools.filter(([tool]) => findProgram(tool, path) === undefined);
  if (missing.length > 0) {
    const packages = [...new Set(missing.map(([, name]) => name))].join(" ");
    return `local pods need ${missing.map(([tool]) => tool).join(", ")}: install them (apt-get install ${packages}), or use --no-pods`;
  }
  return isRootless ? userNamespaceObstacle() : undefined;
}

function userNamespaceObstacle(): string | undefined {
  const uid = process.getuid?.() ?? 0;
  const username = userName() ?? String(uid);
  for (const file of ["/etc/subuid", "/etc/subgid"]) {
    const lines = readText(file).split("\n");
    if (lines.some((line) => line.startsWith(`${username}:`) || line.startsWith(`${uid}:`))) continue;
    return `local pods without root need a range of ids for ${username} in ${file}: run "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${username}" as root, or start as root`;
  }
  if (readText("/proc/sys/user/max_user_namespaces").trim() !== "0") return undefined;
  return "this kernel allows no user namespaces (user.max_user_namespaces is 0): start as root, or use --no-pods";
}

function userName(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    // A user without an entry in the system's list.
    return undefined;
  }
}

function toolPath(environment: NodeJS.ProcessEnv): readonly string[] {
  return [...(environment.PATH ?? "").split(delimiter), ...SYSTEM_PATH].filter((each) => each !== "");
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    // An absent file says nothing, as an empty one.
    return "";
  }
}
