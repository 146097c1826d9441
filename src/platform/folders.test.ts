import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, expect, test } from "vitest";
import { makeFolder } from "./folders.ts";

const root = mkdtempSync(join(tmpdir(), "osm-folders-"));
afterAll(() => rmSync(root, { recursive: true }));

test("a folder is made with everything above it, and making it again changes nothing", () => {
  const dir = join(root, "a/b/c");
  makeFolder(dir, 0o700);
  makeFolder(dir, 0o755);
  expect(statSync(dir).mode & 0o777).toBe(0o700);
});

test("a file in the way is an error", () => {
  writeFileSync(join(root, "file"), "");
  expect(() => makeFolder(join(root, "file"), 0o700)).toThrow("EEXIST");
  expect(() => makeFolder(join(root, "file/below"), 0o700)).toThrow("ENOTDIR");
});

test.skipIf(process.platform !== "linux")(
  "where nothing can be made an error comes, instead of an endless loop",
  () => {
    expect(() => makeFolder("/proc/osm/state", 0o700)).toThrow("ENOENT");
  },
);
