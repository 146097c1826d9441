import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterEach, expect, test } from "vitest";
import { systemClock } from "../lib/mod.ts";
import { runtimeCommand } from "../platform/mod.ts";
import { startServer } from "./run-server.ts";

const root = mkdtempSync(join(tmpdir(), "osm-run-server-"));
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** Says that it is ready, and who it is, and stays. */
const PROGRAM = `
import { appendFileSync, renameSync, writeFileSync } from "node:fs";
const file = process.argv[process.argv.indexOf("--ready-file") + 1];
appendFileSync("${join(root, "pids")}", process.pid + "\\n");
writeFileSync(file + ".next", JSON.stringify({ xds: "127.0.0.1:1", admin: "127.0.0.1:2" }));
renameSync(file + ".next", file);
setInterval(() => {}, 1000);
`;

test("a control plane that is stopped while it starts again leaves no process", async () => {
  writeFileSync(join(root, "program.mjs"), PROGRAM);
  const server = await startServer({
    command: [...runtimeCommand, join(root, "program.mjs")],
    folder: root,
    stateDir: root,
    caDir: root,
    flags: [],
    env: process.env,
    clock: systemClock(),
  });
  expect(server.isRunning).toBe(true);
  await Promise.all([server.restart(), server.restart(), server.stop()]);
  expect(server.isRunning).toBe(false);
  const pids = readFileSync(join(root, "pids"), "utf8").trim().split("\n").map(Number);
  expect(pids).toHaveLength(3);
  for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow("ESRCH");
});
