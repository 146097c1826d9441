import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { beginRun } from "./machine.ts";

let checkout: string;
const git = (...args: readonly string[]) => execFileSync("git", args, { cwd: checkout, encoding: "utf8" }).trim();

beforeEach(() => {
  // A git hook that runs the tests has set what leads git to another repository.
  for (const name of Object.keys(process.env)) if (name.startsWith("GIT_")) vi.stubEnv(name, undefined);
  checkout = mkdtempSync(join(tmpdir(), "osm-machine-"));
  mkdirSync(join(checkout, "src"));
  git("init", "--quiet");
  edit("src/a.ts", "1");
  commit();
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(checkout, { recursive: true, force: true });
});

function edit(path: string, text: string): void {
  writeFileSync(join(checkout, path), text);
}

function commit(): void {
  git("add", ".");
  const settings = ["user.name=a", "user.email=a@example.org", "commit.gpgsign=false"].flatMap((each) => ["-c", each]);
  git(...settings, "commit", "--quiet", "-m", "x");
}

const begin = () => beginRun([], { name: "node", version: "1" }, pathToFileURL(`${checkout}/`));

test("a run is of the commit at its beginning, and dirty when what is measured changed before its end", () => {
  const first = git("rev-parse", "HEAD");
  const end = begin();
  expect(end()).toMatchObject({ commit: first, isDirty: false });
  edit("README.md", "words");
  commit();
  expect(end()).toMatchObject({ commit: first, isDirty: false });
  edit("src/a.ts", "2");
  expect(end()).toMatchObject({ commit: first, isDirty: true });
  const endOfDirty = begin();
  commit();
  expect(end()).toMatchObject({ commit: first, isDirty: true });
  expect(begin()()).toMatchObject({ commit: git("rev-parse", "HEAD"), isDirty: false });
  edit("src/a.ts", "1");
  expect(endOfDirty()).toMatchObject({ isDirty: true });
});
