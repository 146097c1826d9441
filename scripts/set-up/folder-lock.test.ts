import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { withFolderLock } from "./folder-lock.mjs";

const folder = mkdtempSync(join(tmpdir(), "osm-lock-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("two set-ups at once take turns, and the second is told whom it waits for", async () => {
  const path = join(folder, "turns");
  const events: string[] = [];
  const waitedFor: string[] = [];
  const take = (name: string) =>
    withFolderLock(
      path,
      (holder) => waitedFor.push(holder),
      async () => {
        events.push(`${name} in`);
        await new Promise((resolve) => setImmediate(resolve));
        events.push(`${name} out`);
      },
    );
  await Promise.all([take("a"), take("b")]);
  expect(events).toEqual(["a in", "a out", "b in", "b out"]);
  expect(waitedFor).toEqual([String(process.pid)]);
  expect(existsSync(path)).toBe(false);
});

test("a set-up that was killed does not block the next one", async () => {
  const path = join(folder, "dead");
  mkdirSync(path);
  const beyondAnyPid = "99999999";
  writeFileSync(join(path, "holder"), beyondAnyPid);
  await expect(
    withFolderLock(
      path,
      () => undefined,
      async () => "ran",
    ),
  ).resolves.toBe("ran");
});
