import { spawn } from "node:child_process";

/** Something that cannot be had; the message is one sentence that names it and the way to get it. */
export class CannotBeHad extends Error {
  /** @override */
  name = "CannotBeHad";
}

/**
 * Shows on standard error that `what` is going on: on a terminal one line with the seconds counting, else a line at the
 * start and one at the end.
 *
 * @template T
 * @param {string} what
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withProgress(what, work) {
  const { stderr } = process;
  const start = Date.now();
  const seconds = () => `${((Date.now() - start) / 1000).toFixed(0)} s`;
  const redraw = () => stderr.write(`\r\x1b[K${what} ... ${seconds()}`);
  if (!stderr.isTTY) stderr.write(`${what} ...\n`);
  const timer = stderr.isTTY ? setInterval(redraw, 200) : undefined;
  try {
    const result = await work();
    stderr.write(`${stderr.isTTY ? "\r\x1b[K" : ""}${what}: done in ${seconds()}\n`);
    return result;
  } catch (error) {
    stderr.write(`${stderr.isTTY ? "\r\x1b[K" : ""}${what}: failed after ${seconds()}\n`);
    throw error;
  } finally {
    clearInterval(timer);
  }
}

/**
 * Runs a program to its end without a terminal; resolves to what it wrote, with its exit code (127: not there).
 *
 * @param {string} file
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} [options]
 * @returns {Promise<{ code: number, output: string }>}
 */
export function run(file, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(file, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    const collect = (/** @type {Buffer} */ chunk) => {
      output = (output + chunk.toString()).slice(-20_000);
    };
    child.stdout.on("data", collect);
    child.stderr.on("data", collect);
    child.on("error", (error) => resolve({ code: 127, output: error.message }));
    child.on("close", (code) => resolve({ code: code ?? 1, output }));
  });
}

/**
 * The line of a failed program's output that says most: the first one that speaks of an error, else the last.
 *
 * @param {string} output
 */
export function reasonIn(output) {
  const lines = output.split("\n").flatMap((line) => line.trim() || []);
  return (lines.find((line) => /\berr(or)?\b|^E: /i.test(line)) ?? lines.at(-1) ?? "no output").slice(0, 300);
}
