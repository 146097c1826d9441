import process from "node:process";
import { keepCompiledCode } from "../platform/compiled-code.ts";

keepCompiledCode();
const { runCli } = await import("../cli/mod.ts");

const stopped = new AbortController();
const stop = () => stopped.abort();
process.on("SIGINT", stop);
process.on("SIGTERM", stop);
// A reader that went away (`osm pods | head`) is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

process.exitCode = await runCli(process.argv.slice(2), {
  env: process.env,
  cwd: process.cwd(),
  write: (text) => void process.stdout.write(text),
  note: (text) => void process.stderr.write(text),
  isTty: process.stdout.isTTY === true,
  signal: stopped.signal,
});
