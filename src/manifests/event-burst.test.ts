import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { silentLog, systemClock } from "../lib/mod.ts";
import { BURST } from "./event-burst.ts";
import { parseManifestText, watchFolder } from "./mod.ts";

const looks = vi.hoisted(() => ({ count: 0 }));
vi.mock("node:fs", async (original) => {
  const real = await original<typeof import("node:fs")>();
  const lstatSync = (...args: Parameters<typeof real.lstatSync>) => {
    looks.count++;
    return real.lstatSync(...args);
  };
  return { ...real, lstatSync };
});

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

test("of thousands of events at once, not each is looked into", async () => {
  const top = mkdtempSync(join(tmpdir(), "osm-burst-"));
  closing.push(() => rmSync(top, { recursive: true, force: true }));
  const dir = join(top, "dir");
  mkdirSync(dir);
  const path = (name: string) => join(dir, name);
  const write = (v: string) => {
    const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a", namespace: "shop" }, data: { v } };
    writeFileSync(path("b.new"), JSON.stringify(object));
    renameSync(path("b.new"), path("a.json"));
  };
  write("1");
  writeFileSync(path("0.tmp"), "");
  const changed = Promise.withResolvers<void>();
  // So slow that a busy machine does not make several bursts of one.
  const clock = { ...systemClock(), monotonic: () => performance.now() / 10 };
  const source = watchFolder({
    ...{ dir, stateDir: join(top, "state"), clock, source: "folder", log: silentLog() },
    parse: async ({ text, file }) => parseManifestText(text, file),
    onBatch(events) {
      if (events.some(({ type }) => type === "apply")) changed.resolve();
    },
    onRejections: () => {},
  });
  closing.push(() => source.stop());
  await source.ready;
  looks.count = 0;
  // Four events each: the system keeps 16,384 in mind, and the change is among them.
  for (let round = 0; round < BURST; round++) {
    renameSync(path("0.tmp"), path("1.tmp"));
    renameSync(path("1.tmp"), path("0.tmp"));
  }
  write("2");
  await changed.promise;
  expect(looks.count).toBeLessThan(1.5 * BURST);
});
