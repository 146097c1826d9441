import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";

const BENCH = fileURLToPath(new URL("../../bench/run.ts", import.meta.url));
const root = mkdtempSync(join(tmpdir(), "osm-stopped-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** At least what is served, and the control plane's. */
const FOLDERS = 2;

test.each([
  { signal: "SIGINT", code: 130, filter: "process/bookstore, 0" },
  { signal: "SIGTERM", code: 143, filter: "fleet/O400" },
] as const)(
  "a bench that $signal stops leaves neither folders nor control planes",
  async ({ signal, code, filter }) => {
    const folder = mkdtempSync(join(root, "run-"));
    const bench = spawn(process.execPath, [BENCH, filter], {
      stdio: "ignore",
      env: { ...process.env, TMPDIR: folder },
    });
    const ended = once(bench, "exit");
    // Node keeps compiled code there as well.
    const folders = () => readdirSync(folder).filter((name) => name.startsWith("osm-"));
    const programs = () => execFileSync("ps", ["-eo", "args"], { encoding: "utf8" }).split(folder).length - 1;
    await expect.poll(() => folders().length, { timeout: 60_000 }).toBeGreaterThanOrEqual(FOLDERS);
    await expect.poll(programs, { timeout: 60_000 }).toBeGreaterThan(0);
    bench.kill(signal);
    expect(await ended).toEqual([code, null]);
    expect(folders()).toEqual([]);
    await expect.poll(programs).toBe(0);
  },
);
