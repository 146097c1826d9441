/** The control plane as a child process of the runner: it ends when its parent does, and says what it does over IPC. */
import { saveCompiledCode } from "../platform/compiled-code.ts";
import { startControlPlane } from "./control-plane.ts";
import type { ControlPlaneMessage } from "./control-plane-child.ts";
import { type ControlPlaneOptions, StartError } from "./options.ts";

const options = JSON.parse(process.argv[2] ?? "") as ControlPlaneOptions;
const tell = (message: ControlPlaneMessage) => {
  if (process.connected) process.send?.(message);
};

// A terminal's Ctrl-C is for the runner, which ends this process in its turn.
process.on("SIGINT", () => undefined);
process.on("disconnect", () => process.exit(0));

try {
  const plane = await startControlPlane(options, {
    line: (text) => void process.stdout.write(`${text}\n`),
    logLine: (line) => void process.stderr.write(line),
  });
  process.on("SIGTERM", () => void plane.stop().finally(() => process.exit(0)));
  tell({ type: "admin", admin: plane.admin });
  tell({ type: "serving", xds: await plane.serving });
  saveCompiledCode();
} catch (error) {
  if (!(error instanceof StartError)) throw error;
  tell({ type: "refused", message: error.message });
  process.exitCode = 1;
  process.disconnect?.();
}
