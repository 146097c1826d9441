import { spawn } from "node:child_process";
import { constants } from "node:os";
import { meshClient } from "./client.ts";
import { ADMIN_FLAG, type Command, CommandError, EXIT, NAMESPACE_FLAG, onlyPositional, stringFlag } from "./command.ts";

/** What the node answers: how to get into a pod from here. */
interface ExecPlan {
  /** Program and arguments to put before the command. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

export const execCommand: Command = {
  name: "exec",
  usage: "POD -n NS [-c CONTAINER] [-i] [-t] -- CMD [ARG...]",
  summary: "Run a command in a pod; its output, input and exit code pass through",
  flags: {
    namespace: NAMESPACE_FLAG,
    container: {
      type: "string",
      short: "c",
      value: "NAME",
      help: "as this container's user and environment (default: the first)",
    },
    stdin: { type: "boolean", short: "i", help: "pass standard input on" },
    tty: { type: "boolean", short: "t", help: "give the command this terminal" },
    admin: ADMIN_FLAG,
  },
  takesRest: true,
  examples: [
    "osm exec bookbuyer-6c9 -n bookbuyer -- curl -s http://bookstore.bookstore:14001/",
    "osm exec -i -t bookbuyer-6c9 -n bookbuyer -- sh",
  ],
  async run(flags, context) {
    const pod = onlyPositional(flags, "exec", "POD");
    if (flags.rest.length === 0) {
      throw new CommandError('osm exec: the command is missing; write it after "--"', EXIT.usage);
    }
    const wantsTty = flags.values["tty"] === true;
    if (wantsTty && !process.stdin.isTTY)
      throw new CommandError("osm exec: -t needs a terminal as standard input", EXIT.usage);
    const namespace = stringFlag(flags, "namespace") ?? "default";
    const container = stringFlag(flags, "container");
    const query = container === undefined ? "" : `?container=${encodeURIComponent(container)}`;
    const path = `/pods/${encodeURIComponent(namespace)}/${encodeURIComponent(pod)}/exec${query}`;
    const plan = (await meshClient(flags, context).node("GET", path)) as ExecPlan;
    const isInputPassed = flags.values["stdin"] === true || wantsTty;
    return await runInPod(plan, flags.rest, isInputPassed);
  },
};

function runInPod(plan: ExecPlan, command: readonly string[], isInputPassed: boolean): Promise<number> {
  const [program = "", ...args] = [...plan.argv, ...command];
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      env: { ...plan.env },
      cwd: plan.cwd,
      stdio: [isInputPassed ? "inherit" : "ignore", "inherit", "inherit"],
    });
    const forward = (signal: NodeJS.Signals) => child.kill(signal);
    process.on("SIGINT", forward).on("SIGTERM", forward).on("SIGHUP", forward);
    child.on("error", (error) => reject(new CommandError(`osm exec: ${program} cannot be started: ${error.message}`)));
    child.on("close", (code, signal) => {
      process.off("SIGINT", forward).off("SIGTERM", forward).off("SIGHUP", forward);
      resolve(code ?? 128 + (signal === null ? 0 : (constants.signals[signal] ?? 0)));
    });
  });
}
