import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { manualClock, silentLog } from "../lib/mod.ts";
import { createLastGood } from "./last-good.ts";
import { type ManifestObject, parseManifestText } from "./manifest-text.ts";

let top: string;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "osm-last-good-"));
});
afterEach(() => rmSync(top, { recursive: true, force: true }));

const open = () => createLastGood(join(top, "state"), { clock: manualClock(0), log: silentLog() });

function says(value: string): readonly ManifestObject[] {
  const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a" }, data: { value } };
  return parseManifestText(JSON.stringify(object), "a.json").objects;
}

/** Each writing makes another file; the number of one that is gone may be given out again. */
function entry(): number | undefined {
  const [name] = readdirSync(join(top, "state"));
  return name === undefined ? undefined : statSync(join(top, "state", name)).ino;
}

test("a file that is touched again and again is written once, whoever wrote it", async () => {
  const first = open();
  first.save("a.json", says("1"));
  await first.flushed();
  const written = entry();
  first.save("a.json", says("1"));
  await first.flushed();
  expect(entry()).toBe(written);
  const second = open();
  second.save("a.json", says("1"));
  await second.flushed();
  expect(entry()).toBe(written);
  expect(await open().load("a.json")).toEqual(says("1"));
});

test("a file that was gone, or says something else, is written again", async () => {
  const lastGood = open();
  for (const value of ["1", "2", "1"]) {
    lastGood.save("a.json", says(value));
    await lastGood.flushed();
    expect(await open().load("a.json")).toEqual(says(value));
  }
  lastGood.remove("a.json");
  await lastGood.flushed();
  expect(entry()).toBeUndefined();
  lastGood.save("a.json", says("1"));
  await lastGood.flushed();
  expect(await open().load("a.json")).toEqual(says("1"));
});
