import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { runtimeCommand } from "../platform/mod.ts";

const root = mkdtempSync(join(tmpdir(), "osm-at-exit-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const MANY = 12;

test("a process that ends leaves none of its many folders and programs, and is not told of a leak", async () => {
  const program = join(root, "program.ts");
  const kept = join(root, "kept");
  writeFileSync(
    program,
    `import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { killedAtExit, removedAtExit } from ${JSON.stringify(new URL("./at-exit.ts", import.meta.url).href)};
mkdirSync(${JSON.stringify(kept)});
const pids = [];
for (let n = 0; n < ${MANY}; n++) {
  const folder = ${JSON.stringify(kept)} + "/" + n;
  mkdirSync(folder);
  removedAtExit(folder);
  const child = spawn("sleep", ["600"], { stdio: "ignore" });
  killedAtExit(child);
  pids.push(child.pid);
}
removedAtExit(${JSON.stringify(kept)} + "/gone early")();
process.stdout.write(JSON.stringify(pids), () => process.exit(3));
`,
  );
  const [command = "", ...flags] = runtimeCommand;
  const { status, stdout, stderr } = spawnSync(command, [...flags, program], { encoding: "utf8" });
  expect({ status, stderr }).toEqual({ status: 3, stderr: "" });
  expect(readdirSync(kept)).toEqual([]);
  const pids = JSON.parse(stdout) as number[];
  await expect.poll(() => pids.filter(isRunning)).toEqual([]);
});

/** What was killed and is nobody's child any more is gone at once, or as soon as the system has looked after it. */
function isRunning(pid: number): boolean {
  const { stdout } = spawnSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" });
  return stdout.trim() !== "" && !stdout.trim().startsWith("Z");
}
