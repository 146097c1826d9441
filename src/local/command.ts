import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** A program of the operating system ended with another code than 0, or could not be started. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly code = "command-failed";
  /** What the program wrote to its standard error, at most 4 KiB. */
  readonly stderr: string;

  constructor(argv: readonly string[], found: string, stderr: string) {
    super(`${argv.join(" ").slice(0, 300)}: ${found}${stderr === "" ? "" : `: ${stderr.trim().slice(0, 600)}`}`);
    this.stderr = stderr;
  }
}

const OUTPUT_MAX = 1 << 20;
const STDERR_MAX = 4096;

/** Runs `argv` to its end with `input` on its standard input; gives its standard output or throws {@link CommandError}. */
export function runCommand(
  argv: readonly string[],
  options: { readonly input?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<string> {
  const [program = "", ...args] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ["pipe", "pipe", "pipe"],
      ...(options.env === undefined ? {} : { env: options.env }),
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      if (stdout.length < OUTPUT_MAX) stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      if (stderr.length < STDERR_MAX) stderr += text;
    });
    child.once("error", (error) => reject(new CommandError(argv, error.message, "")));
    child.once("close", (code, signal) => {
      if (code === 0) resolve(stdout);
      else reject(new CommandError(argv, signal === null ? `exit code ${code}` : `ended by ${signal}`, stderr));
    });
    // The program may end without reading: the exit code tells.
    child.stdin.on("error", () => undefined);
    child.stdin.end(options.input ?? "");
  });
}

/** Absolute path of the first executable `program` in `directories`. */
export function findProgram(program: string, directories: readonly string[]): string | undefined {
  return directories
    .map((directory) => join(directory, program))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/**
 * A tool of the operating system by its absolute path: the environment that a container's program is started with may
 * have another PATH.
 */
export function tool(name: string): string {
  return (
    findProgram(
      name,
      (process.env.PATH ?? "").split(delimiter).filter((each) => each !== ""),
    ) ?? name
  );
}
