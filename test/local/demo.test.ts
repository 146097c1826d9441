import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { envoyProgram, skipUnless } from "../support/needs.ts";

const cli = fileURLToPath(new URL("../../src/main/cli.ts", import.meta.url));
/** Temporary files of one run, so that what is left behind is seen. */
let temporary = "";
let child: ChildProcess | undefined;

beforeEach(() => {
  temporary = mkdtempSync(join(tmpdir(), "osm-demo-test-"));
});
afterEach(() => {
  child?.kill("SIGKILL");
  rmSync(temporary, { recursive: true, force: true });
});

/** Starts `osm demo`; `ended` has its exit code and output. */
function demo(args: readonly string[], env: Record<string, string | undefined>) {
  const started = spawn(process.execPath, [cli, "demo", ...args], {
    env: { ...process.env, TMPDIR: temporary, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  child = started;
  const output = { stdout: "", stderr: "" };
  const waiting = new Set<() => void>();
  for (const name of ["stdout", "stderr"] as const) {
    started[name].setEncoding("utf8").on("data", (text: string) => {
      output[name] += text;
      for (const wake of waiting) wake();
    });
  }
  const ended = new Promise<typeof output & { readonly code: number | null }>((resolve) => {
    started.once("close", (code) => resolve({ ...output, code }));
  });
  const printed = (text: string) =>
    new Promise<void>((resolve) => {
      const look = () => output.stdout.includes(text) && resolve();
      waiting.add(look);
      look();
    });
  return { ended, printed, stop: () => started.kill("SIGINT") };
}

/** Command lines of processes that work on the run's temporary files. */
function leftProcesses(): readonly string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
      } catch {
        // Ended meanwhile.
        return "";
      }
    })
    .filter((line) => line.includes(temporary));
}

describe("with pods", () => {
  beforeEach((context) => {
    skipUnless(context, "envoy");
    skipUnless(context, "pods");
  });
  const envoy = { OSM_ENVOY: envoyProgram() };

  test("every step of the guided demo has exactly its effect, and nothing is left afterwards", async () => {
    const { code, stdout, stderr } = await demo(["--check"], envoy).ended;
    expect(stdout, stderr).toContain("All 6 steps had exactly their effect");
    expect(stdout).toMatch(/^First mTLS answer after \d+\.\d s$/m);
    expect(stdout).not.toContain("FAILED");
    expect(code).toBe(0);
    expect(readdirSync(temporary)).toEqual([]);
    expect(leftProcesses()).toEqual([]);
  }, 240_000);

  test("breaking it off ends everything within seconds, and proves nothing", async () => {
    const run = demo([], envoy);
    await run.printed("First mTLS answer");
    const stoppedMs = performance.now();
    run.stop();
    expect((await run.ended).code).toBe(1);
    expect(performance.now() - stoppedMs).toBeLessThan(10_000);
    expect(readdirSync(temporary)).toEqual([]);
    expect(leftProcesses()).toEqual([]);
  });
});

test.each([
  [{ OSM_ENVOY: undefined, PATH: "/nowhere" }, "npm run demo"],
  [{ OSM_ENVOY: "/nowhere/envoy" }, "/nowhere/envoy"],
])("without an Envoy one sentence says how to get it (%o)", async (env, words) => {
  const { code, stdout, stderr } = await demo(["--check"], env).ended;
  expect([code, stdout]).toEqual([1, ""]);
  expect(stderr).toContain(words);
  expect(stderr.split("\n")).toHaveLength(2);
  expect(readdirSync(temporary)).toEqual([]);
});
