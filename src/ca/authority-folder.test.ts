import { chmod, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { contentHash } from "../lib/mod.ts";
import { openAuthorityFolder, readLastRotation, writeLastRotation } from "./authority-folder.ts";

const NOW = Date.parse("2026-01-01T00:00:00Z");

let parent: string;
let dir: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), "osm-ca-folder-"));
  dir = join(parent, "deep", "ca");
});
afterEach(() => rm(parent, { recursive: true, force: true }));

test("the first start makes a CA that later starts find, and nobody else can read its key", async () => {
  const first = await openAuthorityFolder(dir, NOW);
  const second = await openAuthorityFolder(dir, NOW);
  expect(second.issuerId).toBe(first.issuerId);
  expect(second.rootsPem).toBe(first.rootsPem);
  expect((await readdir(dir)).sort()).toEqual(["ca.crt", "private.key"]);
  expect((await stat(join(dir, "private.key"))).mode & 0o777).toBe(0o600);
  expect(first.notAfterMs - NOW).toBe(10 * 365 * 24 * 3_600_000);
});

test("ten starts at once agree on one CA and leave nothing else behind", async () => {
  const all = await Promise.all(Array.from({ length: 10 }, () => openAuthorityFolder(dir, NOW)));
  expect(new Set(all.map((each) => each.issuerId)).size).toBe(1);
  expect((await readdir(dir)).sort()).toEqual(["ca.crt", "private.key"]);
});

test("a start that died between its two files is completed by the next", async () => {
  const first = await openAuthorityFolder(dir, NOW);
  const certificate = await readFile(join(dir, "ca.crt"), "utf8");
  await rename(join(dir, "private.key"), join(dir, `.private.key.${contentHash(certificate)}`));
  expect((await openAuthorityFolder(dir, NOW)).issuerId).toBe(first.issuerId);
});

test("one file without the other is an error and never a new CA", async () => {
  await openAuthorityFolder(dir, NOW);
  const certificate = await readFile(join(dir, "ca.crt"));
  await rm(join(dir, "ca.crt"));
  await expect(openAuthorityFolder(dir, NOW)).rejects.toThrow("private.key but no ca.crt");
  await writeFile(join(dir, "ca.crt"), certificate);
  await rm(join(dir, "private.key"));
  await expect(openAuthorityFolder(dir, NOW)).rejects.toThrow("ca.crt but no private.key");
});

test("a folder that cannot be made is named", async () => {
  await writeFile(join(parent, "file"), "");
  await expect(openAuthorityFolder(join(parent, "file", "ca"), NOW)).rejects.toThrow(
    /Cannot create ".*file.ca": ENOTDIR/,
  );
});

test("a user's own file modes are left alone", async () => {
  await openAuthorityFolder(dir, NOW);
  await chmod(join(dir, "private.key"), 0o400);
  await openAuthorityFolder(dir, NOW);
  expect((await stat(join(dir, "private.key"))).mode & 0o777).toBe(0o400);
});

test("the last rotation is found again, and a time that was damaged is no permission to keep old leaves", async () => {
  await openAuthorityFolder(dir, NOW);
  expect(await readLastRotation(dir)).toBe(Number.NEGATIVE_INFINITY);
  await writeLastRotation(dir, NOW + 1);
  await writeLastRotation(dir, NOW + 2);
  expect(await readLastRotation(dir)).toBe(NOW + 2);
  expect((await readdir(dir)).sort()).toEqual(["ca.crt", "last-rotation", "private.key"]);
  await writeFile(join(dir, "last-rotation"), "yester\u0007day\n");
  await expect(readLastRotation(dir)).rejects.toThrow(/last-rotation" holds "yester\\u0007day", and not a time/);
});
