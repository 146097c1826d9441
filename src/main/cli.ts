import process from "node:process";
import { keepCompiledCode } from "../platform/compiled-code.ts";
import { beginWithYoungHeap } from "../platform/process-memory.ts";

keepCompiledCode();
// With pods the control plane is a child, which is given the same.
if (process.argv[2] === "serve" && process.argv.includes("--no-pods")) beginWithYoungHeap();
const { runCli } = await import("../cli/mod.ts");

const stopped = new AbortController();
const stop = () => stopped.abort();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    // A reader that went away (`osm pods | head`) is no failure.
    if (error.code === "EPIPE") process.exit(0);
    // A terminal that was closed takes no words any more; what runs is stopped by its SIGHUP.
    if (error.code !== "EIO") throw error;
  });
}

process.exitCode = await runCli(process.argv.slice(2), {
  env: process.env,
  cwd: process.cwd(),
  write: (text) => void process.stdout.write(text),
  note: (text) => void process.stderr.write(text),
  isTty: process.stdout.isTTY === true,
  signal: stopped.signal,
});
