import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { manualClock, silentLog } from "../lib/mod.ts";
import { LastGood } from "./last-good.ts";
import { digestOf, LastGoodJournal } from "./last-good-journal.ts";
import { type ManifestObject, parseManifestText } from "./manifest-text.ts";

let top: string;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "osm-last-good-"));
});
afterEach(() => rmSync(top, { recursive: true, force: true }));

const open = () => new LastGood(join(top, "state"), { clock: manualClock(0), log: silentLog() });

function says(value: string): readonly ManifestObject[] {
  const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a" }, data: { value } };
  return parseManifestText(JSON.stringify(object), "a.json").objects;
}

const journal = () => join(top, "state", "last-good.journal");

/** Each writing makes it longer, or another file. */
function entry(): string | undefined {
  const [name] = readdirSync(join(top, "state"));
  if (name === undefined) return undefined;
  const { ino, size } = statSync(join(top, "state", name));
  return `${ino} ${size}`;
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

test("what was cut off while it was written takes nothing along, and is written again", async () => {
  const first = open();
  first.save("a.json", says("1"));
  await first.flushed();
  const whole = statSync(journal()).size;
  first.save("b.json", says("2"));
  await first.flushed();
  const all = statSync(journal()).size;
  for (const size of [all - 1, whole + 10]) {
    truncateSync(journal(), size);
    const next = open();
    expect(await next.load("a.json")).toEqual(says("1"));
    expect(await next.load("b.json")).toBeUndefined();
    next.save("b.json", says("2"));
    await next.flushed();
    expect(await open().load("b.json")).toEqual(says("2"));
    expect(statSync(journal()).size).toBe(all);
  }
  appendFileSync(journal(), "{".repeat(1000));
  const next = open();
  next.save("c.json", says("3"));
  await next.flushed();
  expect(statSync(journal()).size).toBeLessThan(all + 1000);
  expect(await open().load("c.json")).toEqual(says("3"));
});

test("what is kept after somebody has removed it all is there after a restart", async () => {
  const first = open();
  first.save("a.json", says("1"));
  await first.flushed();
  rmSync(journal());
  first.save("b.json", says("2"));
  await first.flushed();
  expect(await open().load("b.json")).toEqual(says("2"));
});

test("what is left after somebody has cut off some of it stays", async () => {
  const first = open();
  first.save("a.json", says("1"));
  await first.flushed();
  const { size } = statSync(journal());
  first.save("b.json", says("2"));
  await first.flushed();
  truncateSync(journal(), size);
  first.save("c.json", says("3"));
  await first.flushed();
  const next = open();
  expect(await next.filesOf(() => true)).toEqual(["a.json", "c.json"]);
  expect(await next.load("a.json")).toEqual(says("1"));
});

test("what is not what was written is not taken, and is written again", async () => {
  const first = open();
  first.save("a.json", says("1"));
  await first.flushed();
  writeFileSync(journal(), readFileSync(journal(), "utf8").replace('"value":"1"', '"value":"2"'));
  const next = open();
  expect(await next.load("a.json")).toBeUndefined();
  next.save("a.json", says("1"));
  await next.flushed();
  expect(await open().load("a.json")).toEqual(says("1"));
});

test("a file that changes again and again takes bounded room, and the others stay", async () => {
  const lastGood = open();
  const others = Array.from({ length: 20 }, (_, n) => `${n}.json`);
  for (const file of others) lastGood.save(file, says(file.repeat(10_000)));
  await lastGood.flushed();
  const live = statSync(journal()).size;
  for (let turn = 0; turn < 100; turn++) {
    lastGood.save("a.json", says(`${turn}`.repeat(50_000)));
    await lastGood.flushed();
    expect(statSync(journal()).size).toBeLessThan(2 * live + 2 * 2 ** 20);
  }
  const next = open();
  expect(await next.load("a.json")).toEqual(says("99".repeat(50_000)));
  for (const file of others) expect(await next.load(file)).toEqual(says(file.repeat(10_000)));
  expect(readdirSync(join(top, "state"))).toEqual(["last-good.journal"]);
});

test("a file that changes again and again takes bounded room even where no file can be made beside the journal", async () => {
  const staged = `${journal()}.new`;
  const objects = says("1".repeat(200_000));
  for (let turn = 0; turn < 40; turn++) {
    rmSync(staged, { recursive: true, force: true });
    const opened = await LastGoodJournal.open(journal());
    mkdirSync(staged, { recursive: true });
    const file = turn === 0 ? "other.json" : "a.json";
    await opened.write([{ file, content: { digest: `${turn}`, objects } }]).catch(() => {});
  }
  expect(statSync(journal()).size).toBeLessThan(4 * 2 ** 20);
  rmSync(staged, { recursive: true });
  const opened = await LastGoodJournal.open(journal());
  expect(opened.digestOf("other.json")).toBe("0");
  await opened.write([{ file: "a.json", content: { digest: digestOf(objects), objects } }]);
  expect(await opened.read("a.json")).toEqual(objects);
  expect(statSync(journal()).size).toBeLessThan(2 ** 20);
});

test("what a start does not find again is gone, whatever is asked for meanwhile", async () => {
  const first = open();
  for (const file of ["a.json", "b.json", "c.json"]) first.save(file, says(file));
  await first.flushed();
  const second = open();
  expect(await second.filesOf((file) => file !== "c.json")).toEqual(["a.json", "b.json"]);
  second.keepOnly(new Set(["a.json"]));
  second.save("b.json", says("new"));
  await second.flushed();
  const third = open();
  expect(await third.filesOf(() => true)).toEqual(["a.json", "b.json"]);
  expect(await third.load("b.json")).toEqual(says("new"));
});

test("where nothing can be written, it is told once, and nothing waits", async () => {
  writeFileSync(join(top, "state"), "a file");
  const lines: string[] = [];
  const lastGood = new LastGood(join(top, "state"), {
    clock: manualClock(0),
    log: { ...silentLog(), warn: (text) => void lines.push(text) },
  });
  for (const value of ["1", "2"]) {
    lastGood.save("a.json", says(value));
    await lastGood.flushed();
  }
  expect(lines).toEqual(["last good manifests are not kept"]);
});

test("what could not be written is written when it can be, though no file has changed since", async () => {
  const first = open();
  for (const file of ["a.json", "gone.json"]) first.save(file, says("1"));
  await first.flushed();
  renameSync(join(top, "state"), join(top, "aside"));
  writeFileSync(join(top, "state"), "a file");
  first.save("a.json", says("2"));
  first.remove("gone.json");
  await first.flushed();
  expect(await first.load("a.json")).toEqual(says("2"));
  expect(await first.load("gone.json")).toBeUndefined();
  rmSync(join(top, "state"));
  renameSync(join(top, "aside"), join(top, "state"));
  await first.flushed();
  const next = open();
  expect(await next.load("a.json")).toEqual(says("2"));
  expect(await next.filesOf(() => true)).toEqual(["a.json"]);
});

test("a file that is gone is not remembered, however often its removal could not be written", async () => {
  const first = open();
  for (const file of ["a.json", "gone.json"]) first.save(file, says("1"));
  await first.flushed();
  renameSync(join(top, "state"), join(top, "aside"));
  writeFileSync(join(top, "state"), "a file");
  first.remove("gone.json");
  for (let turn = 0; turn < 3; turn++) await first.flushed();
  rmSync(join(top, "state"));
  renameSync(join(top, "aside"), join(top, "state"));
  await first.flushed();
  expect(await open().filesOf(() => true)).toEqual(["a.json"]);
});

test("what could not be written is tried again by itself", async () => {
  const clock = manualClock(0);
  const lines: string[] = [];
  const log = { ...silentLog(), warn: (text: string) => void lines.push(text) };
  const lastGood = new LastGood(join(top, "state"), { clock, log });
  writeFileSync(join(top, "state"), "a file");
  lastGood.save("a.json", says("1"));
  clock.advance(1000);
  await expect.poll(() => lines).toEqual(["last good manifests are not kept"]);
  rmSync(join(top, "state"));
  await expect
    .poll(() => {
      clock.advance(60_000);
      return existsSync(journal());
    })
    .toBe(true);
});

test("a big file keeps nobody waiting, neither when it is kept nor when it is asked for", async () => {
  const [object] = says("x".repeat(1000)) as [ManifestObject];
  let inTurn = 0;
  let most = 0;
  const note = () => {
    most = Math.max(most, ++inTurn);
  };
  const objects = Array.from({ length: 4000 }, (_, line) => ({
    ...object,
    line,
    get json() {
      note();
      return object.json;
    },
  }));
  const endTurn = () => {
    inTurn = 0;
    turn = setImmediate(endTurn);
  };
  let turn = setImmediate(endTurn);
  const { parse } = JSON;
  const parsing = vi.spyOn(JSON, "parse").mockImplementation((text, reviver) => {
    note();
    return parse(text, reviver);
  });
  onTestFinished(() => {
    clearImmediate(turn);
    parsing.mockRestore();
  });
  const lastGood = open();
  lastGood.save("a.json", objects);
  await lastGood.flushed();
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThan(1000);
  most = 0;
  expect(await open().load("a.json")).toHaveLength(4000);
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThan(1000);
});
