import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { lockStateDir } from "./state-lock.ts";

const root = mkdtempSync(join(tmpdir(), "osm-lock-"));
afterAll(() => rmSync(root, { recursive: true }));

test("two meshes never share a state dir, and the second is told what to do", async () => {
  const dir = join(root, "shared");
  const first = await lockStateDir(dir, dir);
  await expect(lockStateDir(dir, dir)).rejects.toThrow("--state-dir");
  await first.release();
  await (await lockStateDir(dir, dir)).release();
});

test("what a killed mesh left behind does not keep the next one from starting", async () => {
  const dir = join(root, "stale");
  await (await lockStateDir(dir, dir)).release();
  // A socket file whose listener is gone is what SIGKILL leaves.
  writeFileSync(join(dir, "lock.sock"), "");
  const lock = await lockStateDir(dir, dir);
  await lock.release();
});

test("nobody else may look into the state dir", async () => {
  const dir = join(root, "private");
  const lock = await lockStateDir(dir, dir);
  expect(existsSync(dir)).toBe(true);
  expect(statSync(dir).mode & 0o777).toBe(0o700);
  await lock.release();
});

test("sockets never lie in a folder that somebody else has put in their way", async () => {
  const [stateDir, target, sockets] = [join(root, "mine"), join(root, "theirs"), join(root, "sockets")];
  mkdirSync(target, { mode: 0o755 });
  symlinkSync(target, sockets);
  await expect(lockStateDir(stateDir, sockets)).rejects.toThrow("belongs to somebody else");
  expect(statSync(target).mode & 0o777).toBe(0o755);
});

test("a folder that is somebody's already keeps its mode, and one that others may write into is refused", async () => {
  const used = join(root, "used");
  mkdirSync(used, { mode: 0o755 });
  writeFileSync(join(used, "letter.txt"), "");
  await (await lockStateDir(used, used)).release();
  expect(statSync(used).mode & 0o777).toBe(0o755);
  chmodSync(used, 0o777);
  await expect(lockStateDir(used, used)).rejects.toThrow("others may write");
});
