import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { folderPaths, nodeOptions, obstacle } from "./served-folder.ts";

const runner = fileURLToPath(new URL("./runner.mjs", import.meta.url));

/** Processes of the machine in whose command line `text` stands, but for this one. */
function processesWith(text: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(text);
      } catch {
        return false;
      }
    })
    .map(Number);
}

async function startRunner(paths: ReturnType<typeof folderPaths>): Promise<ChildProcess> {
  const child = spawn(process.execPath, [runner, JSON.stringify(nodeOptions(paths))], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await new Promise((resolve) => child.stdout?.once("data", resolve));
  return child;
}

describe.skipIf(obstacle !== undefined)(`the end of a runner${obstacle === undefined ? "" : ` (${obstacle})`}`, () => {
  test("however it comes, nothing lives 5 s later, and the next start on the same state works", async () => {
    const mark = `98765${process.pid}`;
    const paths = folderPaths({
      "osm.local.yaml": `images:\n  sleeper: [sh, -c, "trap '' TERM; sleep ${mark} & sleep ${mark}"]\n`,
      "pod.yaml":
        "apiVersion: v1\nkind: Pod\nmetadata: {name: sleeper}\nspec:\n  containers:\n  - {name: main, image: sleeper}\n",
    });
    for (const signal of ["SIGKILL", "SIGTERM", "SIGKILL"] as const) {
      const child = await startRunner(paths);
      expect(processesWith(mark).length).toBeGreaterThan(0);
      const killedAt = performance.now();
      child.kill(signal);
      while (processesWith(mark).length > 0 && performance.now() - killedAt < 10_000) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      expect(processesWith(mark)).toEqual([]);
      expect(performance.now() - killedAt).toBeLessThan(5000);
      // The folder alone names what is left of the state.
      expect(processesWith(paths.root)).toEqual([]);
    }
    rmSync(paths.root, { recursive: true, force: true });
  });
});
