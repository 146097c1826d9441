import { mkdirSync, mkdtempSync, rmSync, type Stats, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { silentLog, systemClock } from "../lib/mod.ts";
import { parseManifestText, watchFolder } from "./mod.ts";

/** Times of files move on in steps of this length, as on kernels before 6.13, where it is 1 to 10 ms. */
const STEP_MS = 10;

vi.mock("node:fs", async (original) => {
  const real = await original<typeof import("node:fs")>();
  const coarse = <Args extends readonly unknown[]>(stat: (...args: Args) => unknown) => {
    return (...args: Args) => {
      const stats = stat(...args) as Stats | undefined;
      for (const key of ["mtimeMs", "ctimeMs"] as const) {
        if (stats !== undefined)
          Object.defineProperty(stats, key, { value: Math.floor(stats[key] / STEP_MS) * STEP_MS });
      }
      return stats;
    };
  };
  const { fstatSync, lstatSync } = real;
  return { ...real, fstatSync: coarse(fstatSync as never), lstatSync: coarse(lstatSync as never) };
});

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

test("a file that is written twice within one step of the system's file times ends as its last content", async () => {
  const top = mkdtempSync(join(tmpdir(), "osm-coarse-"));
  closing.push(() => rmSync(top, { recursive: true, force: true }));
  const dir = join(top, "dir");
  mkdirSync(dir);
  const write = (name: string, v: string) =>
    writeFileSync(
      join(dir, `${name}.json`),
      JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "shop" }, data: { v } }),
    );
  const world = new Map<string, unknown>();
  const told: string[] = [];
  const source = watchFolder({
    ...{ dir, stateDir: join(top, "state"), clock: systemClock(), source: "folder", log: silentLog() },
    parse: async ({ text, file }) => parseManifestText(text, file),
    onBatch(events) {
      for (const event of events) {
        if (event.type !== "apply") continue;
        const { metadata, data } = event.object as unknown as { metadata: { name: string }; data: { v: string } };
        world.set(metadata.name, data.v);
        told.push(`${metadata.name}=${data.v}`);
        // Who sees what came of its write, and writes on.
        if (data.v === "1") write(metadata.name, "2");
      }
    },
    onRejections: () => undefined,
  });
  closing.push(() => source.stop());
  await source.ready;
  const names = Array.from({ length: 10 }, (_, n) => `config-${n}`);
  for (const name of names) {
    write(name, "1");
    await expect.poll(() => world.get(name), { interval: 5, timeout: 2000 }).toBe("2");
  }
  // Reading once more to be sure tells nothing twice.
  expect(new Set(told).size).toBe(told.length);
});
