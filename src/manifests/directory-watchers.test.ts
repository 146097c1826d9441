import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { silentLog } from "../lib/mod.ts";
import { watchDirectories } from "./directory-watchers.ts";

const closing: (() => unknown)[] = [];
afterEach(() => {
  for (const close of closing.splice(0).reverse()) close();
});

test("what happens to a folder itself, at the top or below, is not taken for something in it of the same name", async () => {
  const root = mkdtempSync(join(tmpdir(), "osm-watch-"));
  closing.push(() => rmSync(root, { recursive: true, force: true }));
  mkdirSync(join(root, "sub"));
  const heard = new Map<string, () => void>();
  const seen: string[] = [];
  const watchers = watchDirectories({
    root,
    log: silentLog(),
    onEvent(directory, name) {
      seen.push(`${directory}: ${name}`);
      heard.get(`${directory}: ${name}`)?.();
    },
  });
  closing.push(() => watchers.close());
  const hear = (what: string) => new Promise<void>((resolve) => heard.set(what, resolve));
  const both = Promise.all([hear(": undefined"), hear("sub: undefined")]);
  watchers.ensure("", "1");
  watchers.ensure("sub", "2");
  chmodSync(root, 0o750);
  chmodSync(join(root, "sub"), 0o750);
  await both;
  expect(seen).not.toContain("sub: sub");
});
