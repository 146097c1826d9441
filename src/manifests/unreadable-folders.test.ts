import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import type * as promises from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { silentLog, systemClock } from "../lib/mod.ts";
import { type FolderSource, parseManifestText, watchFolder } from "./mod.ts";

/** Paths that the system refuses to look at, as it does with those that belong to others; nothing is refused to root. */
const refused = vi.hoisted(() => new Set<string>());

vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof promises>();
  const guarded = <Args extends readonly unknown[], Result>(call: (...args: Args) => Promise<Result>) => {
    return async (...args: Args) => {
      if (refused.has(String(args[0]))) throw Object.assign(new Error("refused"), { code: "EACCES" });
      return await call(...args);
    };
  };
  return { ...real, readdir: guarded(real.readdir as never), stat: guarded(real.stat as never) };
});

let top: string;
let dir: string;
const sources: FolderSource[] = [];
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "osm-unreadable-"));
  dir = join(top, "dir");
  mkdirSync(join(dir, "sub", "deeper"), { recursive: true });
});
afterEach(async () => {
  refused.clear();
  for (const source of sources.splice(0)) await source.stop();
  rmSync(top, { recursive: true, force: true });
});

/** Names of the objects that there are at a start, and what is reported. */
async function start(): Promise<{ readonly names: readonly string[]; readonly reports: readonly string[] }> {
  const names: string[] = [];
  const source = watchFolder({
    ...{ dir, stateDir: join(top, "state"), clock: systemClock(), source: "folder", log: silentLog() },
    parse: async ({ text, file }) => parseManifestText(text, file),
    onBatch(events) {
      for (const event of events) {
        if (event.type === "reset") names.push(...event.objects.map(({ object }) => object.metadata.name));
      }
    },
    onRejections: () => undefined,
  });
  sources.push(source);
  await source.ready;
  await source.stop();
  return { names: names.sort(), reports: source.rejections().map(({ file, reason }) => `${file} ${reason}`) };
}

function write(path: string, name: string): void {
  writeFileSync(join(dir, path), `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\n`);
}

test("what cannot be looked at over a restart, or two, says what it said last", async () => {
  write("top.yaml", "top");
  write("single.yaml", "single");
  write("sub/a.yaml", "a");
  write("sub/deeper/b.yaml", "b");
  expect(await start()).toEqual({ names: ["a", "b", "single", "top"], reports: [] });
  refused.add(join(dir, "sub")).add(join(dir, "single.yaml"));
  for (let restart = 0; restart < 2; restart++) {
    expect(await start()).toEqual({
      names: ["a", "b", "single", "top"],
      reports: ["single.yaml file-unreadable", "sub folder-unreadable"],
    });
  }
  refused.clear();
  rmSync(join(dir, "sub", "a.yaml"));
  expect(await start()).toEqual({ names: ["b", "single", "top"], reports: [] });
});

test("a folder that is away over a restart says what it said last", async () => {
  write("top.yaml", "top");
  await start();
  renameSync(dir, `${dir}.away`);
  expect(await start()).toEqual({ names: ["top"], reports: [". folder-unreadable"] });
  renameSync(`${dir}.away`, dir);
  expect(await start()).toEqual({ names: ["top"], reports: [] });
});
