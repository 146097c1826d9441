import process from "node:process";
import { keepCompiledCode } from "../platform/compiled-code.ts";
import { beginWithYoungHeap } from "../platform/process-memory.ts";
import { tlsFlags } from "../platform/tls-settings.ts";

keepCompiledCode();
// With pods the control plane is a child, which is given the same.
if (process.argv[2] === "serve" && process.argv.includes("--no-pods")) beginWithYoungHeap(tlsFlags());
const { runCli } = await import("../cli/mod.ts");

const stopped = new AbortController();
const stop = () => stopped.abort();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);

/** Longest that a command goes on once nobody reads what it says. */
const UNHEARD_MS = 10_000;
let outputError: NodeJS.ErrnoException | undefined;
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    // A terminal that was closed takes no words any more; what runs is stopped by its SIGHUP.
    if (error.code === "EIO" || outputError !== undefined) return;
    // What runs ends as by a signal, so that it leaves nothing behind.
    outputError = error;
    stop();
    setTimeout(() => process.exit(), UNHEARD_MS).unref();
    // A reader that went away is no failure of what had been said (`osm pods | head`).
    if (error.code === "EPIPE") return;
    process.exitCode = 1;
    const name = stream === process.stdout ? "standard output" : "standard error";
    process.stderr.write(`osm: ${name} cannot be written: ${error.message}\n`);
  });
}

const exitCode = await runCli(process.argv.slice(2), {
  env: process.env,
  cwd: process.cwd(),
  write: (text) => void process.stdout.write(text),
  note: (text) => void process.stderr.write(text),
  isTty: process.stdout.isTTY === true,
  signal: stopped.signal,
});
process.exitCode ||= exitCode;
