import { expect, test } from "vitest";
import { manualClock } from "../lib/mod.ts";
import { nextTurn } from "../platform/mod.ts";
import type { FolderScan } from "./folder-scan.ts";
import { SWEEP_MAX_MS, SWEEP_MIN_MS, Sweeps } from "./sweeps.ts";

const EMPTY: FolderScan = {
  files: new Map(),
  directories: new Map(),
  withLinks: new Set(),
  problems: [],
  unlisted: [],
  dangling: new Set<string>(),
};

test("a folder at rest is listed ever more rarely, and soon again when something was not told of", async () => {
  const clock = manualClock();
  let scans = 0;
  const scan = async () => {
    scans++;
    return EMPTY;
  };
  const sweeps = new Sweeps(clock, { scan, onSwept: () => sweeps.take() });
  const scansIn = async (ms: number) => {
    const before = scans;
    for (let passed = 0; passed < ms; passed += 1000) {
      clock.advance(1000);
      await nextTurn();
    }
    return scans - before;
  };
  sweeps.pause(0);
  await scansIn(10 * SWEEP_MAX_MS);
  expect(await scansIn(2 * SWEEP_MAX_MS)).toBe(2);
  sweeps.distrust();
  expect(await scansIn(SWEEP_MIN_MS)).toBe(1);
});

test("what was looked at while the folder was listed is known to be newer", async () => {
  const clock = manualClock();
  const listed = Promise.withResolvers<FolderScan>();
  const sweeps = new Sweeps(clock, { scan: () => listed.promise, onSwept: () => undefined });
  sweeps.pause(0);
  sweeps.noteLook("before");
  clock.advance(SWEEP_MAX_MS);
  sweeps.noteLook("meanwhile");
  listed.resolve(EMPTY);
  await nextTurn();
  sweeps.noteLook("since");
  const swept = sweeps.take();
  expect(["before", "meanwhile", "since"].filter((path) => swept?.isLookedAt(path))).toEqual(["meanwhile", "since"]);
  expect(sweeps.take()).toBeUndefined();
});

test("a listing that something else held up does not put off the next one, two that take long do", async () => {
  const clock = manualClock();
  let scans = 0;
  const scan = async () => {
    scans++;
    return EMPTY;
  };
  const sweeps = new Sweeps(clock, { scan, onSwept: () => sweeps.take() });
  const scansAfter = async (tookMs: number) => {
    sweeps.distrust();
    sweeps.pause(tookMs);
    const before = scans;
    clock.advance(SWEEP_MIN_MS);
    await nextTurn();
    return scans - before;
  };
  sweeps.pause(5);
  expect(await scansAfter(1000)).toBe(1);
  sweeps.pause(1000);
  expect(await scansAfter(1000)).toBe(0);
});
