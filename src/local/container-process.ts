import { spawn } from "node:child_process";
import { tool } from "./command.ts";
import { childOf } from "./pod-sandbox.ts";

/** Who a process in a pod is. */
export type ProcessUser =
  /** The pod's own root: what sets a pod up. */
  | { readonly kind: "root" }
  /** Whoever started the program. */
  | { readonly kind: "caller"; readonly uid: number; readonly gid: number }
  /** A numeric user. `mayReadAll`: reads files as the caller may, so that the modes of folders do not matter. */
  | { readonly kind: "user"; readonly uid: number; readonly gid: number; readonly mayReadAll: boolean };

export interface ProcessOptions {
  /** The pod's holder. */
  readonly sandboxPid: number;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly user: ProcessUser;
}

export interface ProcessEnd {
  /** As a shell tells it: 128 + n after signal n. */
  readonly exitCode: number;
}

export interface ContainerProcess {
  readonly ended: Promise<ProcessEnd>;
  /** Sends `signal` to the program itself. Nothing happens when it has ended. */
  signal(signal: "SIGTERM" | "SIGKILL"): void;
}

/** Exit codes of setpriv, unshare and env when the program could not be started. */
export const PROGRAM_NOT_FOUND = 127;
export const PROGRAM_NOT_EXECUTABLE = 126;

/** The command line that runs `argv` in the pod: enters its namespaces, then becomes the user. */
export function enterPod({ sandboxPid, argv, cwd, user }: Omit<ProcessOptions, "env">): readonly string[] {
  return [
    tool("nsenter"),
    `--target=${sandboxPid}`,
    "-n",
    "-m",
    "-u",
    "-p",
    `--wdns=${cwd}`,
    "--",
    ...become(user),
    ...argv,
  ];
}

function become(user: ProcessUser): readonly string[] {
  if (user.kind === "root") return [];
  const { uid, gid } = user;
  if (user.kind === "caller") {
    // Without root the caller is the pod's root from outside; a user namespace more gives the own number back.
    return uid === 0 ? [] : [tool("unshare"), "-U", `--map-user=${uid}`, `--map-group=${gid}`, "--"];
  }
  const identity = [tool("setpriv"), `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups"];
  const rights = user.mayReadAll
    ? ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    : ["--no-new-privs"];
  return [...identity, ...rights, "--"];
}

/** Starts a program in a pod with both output streams on `output`, a file descriptor that stays the caller's. */
export function startProcess(options: ProcessOptions, output: number): ContainerProcess {
  const [program = "", ...args] = enterPod(options);
  const child = spawn(program, args, { stdio: ["ignore", output, output], env: options.env, detached: true });
  const ended = new Promise<ProcessEnd>((resolve) => {
    child.once("error", () => resolve({ exitCode: PROGRAM_NOT_FOUND }));
    child.once("exit", (code, signal) => {
      // What the program left running in its group ends with it, as in a container.
      if (child.pid !== undefined) tryKill(-child.pid, "SIGKILL");
      resolve({ exitCode: code ?? 128 + (SIGNAL_NUMBERS[signal ?? ""] ?? 9) });
    });
  });
  return {
    ended,
    signal(signal) {
      const inner = child.exitCode === null && child.pid !== undefined ? childOf(child.pid) : undefined;
      if (inner !== undefined) tryKill(inner, signal);
    },
  };
}

const SIGNAL_NUMBERS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGPIPE: 13,
  SIGTERM: 15,
};

function tryKill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended already.
  }
}
