import { cpSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { appsFolder, bookstoreFolder, localFile, programs, stepsFolder } from "../../demo/mod.ts";
import { StartError } from "./options.ts";
import type { RunningServe, ServeIo } from "./running-serve.ts";
import { startServe } from "./serve.ts";

export interface DemoMesh extends Omit<RunningServe, "controlPlanePid"> {
  /** Puts a file of a step into the served folder; `from` is relative to the folder of the steps. */
  put(from: string, to: string): void;
  /** Ends the control plane without warning (SIGKILL). False when none runs just now. */
  killControlPlane(): boolean;
}

export interface DemoOptions {
  /** Absolute; undefined: a temporary one, which is gone afterwards. */
  readonly stateDir?: string;
  readonly workers: number;
}

const LOOPBACK = { host: "127.0.0.1", port: 0 };

/** Serves a working copy of the bookstore with local pods. Nothing of it is left after `stop`. */
export async function startDemoMesh(options: DemoOptions, io: ServeIo): Promise<DemoMesh> {
  const root = makeRoot();
  const dir = join(root, "manifests");
  const remove = () => rmSync(root, { recursive: true, force: true, maxRetries: 3 });
  try {
    copyBookstore(dir);
    const stateDir = options.stateDir ?? join(root, "state");
    const running = await startServe(
      {
        dir,
        hasPods: true,
        stateDir,
        caDir: join(stateDir, "ca"),
        xds: LOOPBACK,
        admin: LOOPBACK,
        workers: options.workers,
        meshName: "osm",
        osmNamespace: "osm-system",
        trustDomain: "cluster.local",
      },
      io,
    );
    return {
      ...running,
      put(from, to) {
        // Renamed into place, as an editor does: half a file is never read.
        const hidden = join(dir, `.${to}`);
        cpSync(fileURLToPath(new URL(from, stepsFolder)), hidden);
        renameSync(hidden, join(dir, to));
      },
      killControlPlane() {
        const pid = running.controlPlanePid();
        return pid !== undefined && process.kill(pid, "SIGKILL");
      },
      stop: () => running.stop().finally(remove),
    };
  } catch (error) {
    remove();
    throw error;
  }
}

function makeRoot(): string {
  try {
    return mkdtempSync(join(tmpdir(), "osm-demo-"));
  } catch (error) {
    throw new StartError(
      `the demo needs a temporary folder, and none can be made in ${tmpdir()} (${(error as NodeJS.ErrnoException).code}): name another in TMPDIR`,
    );
  }
}

function copyBookstore(dir: string): void {
  mkdirSync(dir);
  cpSync(fileURLToPath(bookstoreFolder), dir, { recursive: true });
  // The copy is elsewhere, so programs are named by their absolute paths; JSON is YAML.
  const images = Object.entries(programs).map(([image, program]) => [
    image,
    [process.execPath, fileURLToPath(new URL(program, appsFolder))],
  ]);
  writeFileSync(join(dir, localFile), `${JSON.stringify({ images: Object.fromEntries(images) }, null, 2)}\n`);
}
