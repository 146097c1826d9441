import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import type { ObjectEvent } from "../kube/objects.ts";
import { type Clock, silentLog, systemClock } from "../lib/mod.ts";
import { type FolderSource, type Parse, parseManifestText, watchFolder } from "./mod.ts";
import { SETTLE_MS } from "./settling.ts";
import { SWEEP_MIN_MS } from "./sweeps.ts";

/** A folder under test with what its source has told so far. */
interface Followed {
  readonly source: FolderSource;
  readonly world: Map<string, unknown>;
  readonly batches: (readonly ObjectEvent[])[];
  /** Resolves as soon as the condition holds after some batch or report. */
  until(condition: () => boolean): Promise<void>;
}

const opened: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0)) await close();
});

function makeFolder(name = "dir"): { dir: string; stateDir: string; path: (name: string) => string } {
  const top = mkdtempSync(join(tmpdir(), "osm-manifests-"));
  const dir = join(top, name);
  mkdirSync(dir);
  opened.push(async () => rmSync(top, { recursive: true, force: true }));
  return { dir, stateDir: join(top, "state"), path: (name) => join(dir, name) };
}

const parse: Parse = async ({ text, file }) => parseManifestText(text, file);

function follow(
  { dir, stateDir }: { dir: string; stateDir: string },
  how: { parse?: Parse; clock?: Clock } = {},
): Followed {
  const world = new Map<string, unknown>();
  const batches: (readonly ObjectEvent[])[] = [];
  const waiting = new Set<() => void>();
  const wake = () => {
    for (const check of waiting) check();
  };
  const onBatch = (events: readonly ObjectEvent[]) => {
    batches.push(events);
    for (const event of events) {
      if (event.type === "delete") world.delete(event.name);
      else if (event.type === "apply") world.set(event.object.metadata.name, event.object["data"]);
      else for (const { object } of event.objects) world.set(object.metadata.name, object["data"]);
    }
    wake();
  };
  const clock = how.clock ?? systemClock();
  const source = watchFolder({
    ...{ dir, stateDir, clock, source: "folder", log: silentLog(), parse: how.parse ?? parse },
    onBatch,
    onRejections: wake,
  });
  opened.unshift(() => source.stop());
  const until = (condition: () => boolean) =>
    new Promise<void>((resolve) => {
      const check = () => {
        if (!condition()) return;
        waiting.delete(check);
        resolve();
      };
      waiting.add(check);
      check();
    });
  return { source, world, batches, until };
}

const config = (name: string, value: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {v: "${value}"}\n`;
const reasons = (followed: Followed) => followed.source.rejections().map(({ file, reason }) => `${file} ${reason}`);
const replace = (path: string, text: string) => {
  writeFileSync(`${path}.tmp`, text);
  renameSync(`${path}.tmp`, path);
};

describe("what is read", () => {
  test("manifests of the folder and its sub-folders, in one reset before ready", async () => {
    const folder = makeFolder();
    mkdirSync(folder.path("sub/deeper"), { recursive: true });
    mkdirSync(folder.path(".git"));
    writeFileSync(folder.path("a.yaml"), config("a", "1"));
    writeFileSync(
      folder.path("sub/deeper/b.json"),
      JSON.stringify({ apiVersion: "v1", kind: "Pod", metadata: { name: "b" } }),
    );
    for (const name of [".hidden.yaml", ".git/c.yaml", "notes.txt", "osm.local.yaml"]) {
      writeFileSync(folder.path(name), config("unseen", "1"));
    }
    writeFileSync(folder.path("sub/osm.local.yaml"), config("seen", "1"));
    const followed = follow(folder);
    await followed.source.ready;
    expect([...followed.world.keys()].sort()).toEqual(["a", "b", "seen"]);
    expect(followed.batches).toMatchObject([
      [
        {
          type: "reset",
          objects: [{ origin: { file: "a.yaml", line: 1 } }, { origin: { file: "sub/deeper/b.json" } }, {}],
        },
      ],
    ]);
    expect(followed.source.rejections()).toEqual([]);
  });

  test("links are followed, loops end in a report", async () => {
    const folder = makeFolder();
    mkdirSync(folder.path("real"));
    writeFileSync(folder.path("real/a.yaml"), config("a", "1"));
    symlinkSync("real/a.yaml", folder.path("link.yaml"));
    symlinkSync("..", folder.path("real/up"));
    symlinkSync("self.yaml", folder.path("self.yaml"));
    symlinkSync("nowhere", folder.path("lost.yaml"));
    const followed = follow(folder);
    await followed.source.ready;
    expect([...followed.world.keys()]).toEqual(["a"]);
    expect(reasons(followed).sort()).toEqual([
      "lost.yaml file-unreadable",
      "real/a.yaml duplicate-object",
      "real/up link-loop",
      "self.yaml file-unreadable",
    ]);
  });

  test("thousands of bad files cost a report each, and the reports go with them", async () => {
    const folder = makeFolder();
    mkdirSync(folder.path("bad"));
    for (let number = 0; number < 2000; number++) writeFileSync(folder.path(`bad/${number}.yaml`), "a: [\n");
    writeFileSync(folder.path("bad/binary.json"), new Uint8Array([0xff, 0xfe, 0, 1]));
    writeFileSync(folder.path("good.yaml"), config("good", "1"));
    const followed = follow(folder);
    await followed.source.ready;
    expect([...followed.world.keys()]).toEqual(["good"]);
    expect(followed.source.rejections()).toHaveLength(2001);
    expect(reasons(followed)).toContain("bad/binary.json not-text");
    replace(folder.path("good.yaml"), config("good", "2"));
    await followed.until(() => JSON.stringify(followed.world.get("good")) === '{"v":"2"}');
    rmSync(folder.path("bad"), { recursive: true });
    await followed.until(() => followed.source.rejections().length === 0);
  });
});

describe("live edits", () => {
  test("a file that is replaced, added, written in place, removed", async () => {
    const folder = makeFolder();
    writeFileSync(folder.path("a.yaml"), config("a", "1"));
    const followed = follow(folder);
    await followed.source.ready;
    replace(folder.path("a.yaml"), config("a", "2"));
    await followed.until(() => JSON.stringify(followed.world.get("a")) === '{"v":"2"}');
    writeFileSync(folder.path("a.yaml"), config("a", "3"));
    await followed.until(() => JSON.stringify(followed.world.get("a")) === '{"v":"3"}');
    mkdirSync(folder.path("new/folder"), { recursive: true });
    writeFileSync(folder.path("new/folder/b.yaml"), config("b", "1"));
    await followed.until(() => followed.world.has("b"));
    writeFileSync(folder.path("new/folder/c.yaml"), config("c", "1"));
    await followed.until(() => followed.world.has("c"));
    unlinkSync(folder.path("a.yaml"));
    await followed.until(() => !followed.world.has("a"));
    rmSync(folder.path("new"), { recursive: true });
    await followed.until(() => followed.world.size === 0);
  });

  test("a file that is cut short while it is written deletes nothing", async () => {
    const folder = makeFolder();
    writeFileSync(folder.path("a.yaml"), `${config("a", "1")}---\n${config("b", "1")}`);
    const followed = follow(folder);
    await followed.source.ready;
    writeFileSync(folder.path("a.yaml"), "");
    writeFileSync(folder.path("a.yaml"), config("a", "2"));
    writeFileSync(folder.path("a.yaml"), `${config("a", "2")}---\n${config("b", "2")}`);
    await followed.until(() => JSON.stringify(followed.world.get("b")) === '{"v":"2"}');
    expect(followed.batches.flat().filter(({ type }) => type === "delete")).toEqual([]);
  });

  test("a file that is renamed, or rewritten under another name, does not delete its objects in between", async () => {
    const folder = makeFolder();
    writeFileSync(folder.path("a.yaml"), config("a", "1"));
    const followed = follow(folder);
    await followed.source.ready;
    renameSync(folder.path("a.yaml"), folder.path("b.yaml"));
    await followed.until(() => followed.batches.length > 1);
    unlinkSync(folder.path("b.yaml"));
    writeFileSync(folder.path("c.yaml"), config("a", "2"));
    await followed.until(() => JSON.stringify(followed.world.get("a")) === '{"v":"2"}');
    expect(followed.batches.flat().map(({ type }) => type)).toEqual(["reset", "apply", "apply"]);
  });

  test("JSON that is written and renamed into place in one go is taken without a rest, half of one is not", async () => {
    const folder = makeFolder();
    const object = (value: string) =>
      JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a" }, data: { v: value } });
    const real = systemClock();
    // Whoever waits for a file to rest waits for ever.
    const after = (ms: number, action: () => void) => (ms < SETTLE_MS ? real.after(ms, action) : () => undefined);
    const followed = follow(folder, { clock: { ...real, now: () => 0, monotonic: () => 0, after } });
    await followed.source.ready;
    for (const value of ["1", "2", "3", "4", "5"]) {
      writeFileSync(folder.path(`half-${value}.json`), object(value).slice(0, -1));
      replace(folder.path("a.json"), object(value));
      await followed.until(() => JSON.stringify(followed.world.get("a")) === `{"v":"${value}"}`);
    }
    expect(followed.source.rejections()).toEqual([]);
  });

  test("a folder that is renamed takes its objects along", async () => {
    const folder = makeFolder();
    mkdirSync(folder.path("x"));
    writeFileSync(folder.path("x/a.yaml"), config("a", "1"));
    const followed = follow(folder);
    await followed.source.ready;
    renameSync(folder.path("x"), folder.path("y"));
    await followed.until(() => followed.batches.length > 1);
    writeFileSync(folder.path("y/a.yaml"), config("a", "2"));
    await followed.until(() => JSON.stringify(followed.world.get("a")) === '{"v":"2"}');
    expect(followed.batches.flat().filter(({ type }) => type === "delete")).toEqual([]);
  });

  test("while big files are parsed, edits of others take effect", async () => {
    const folder = makeFolder();
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const followed = follow(folder, { parse: async (job) => gate.then(() => parse(job)) });
    await followed.source.ready;
    const big = ["big0", "big1", "big2", "big3"];
    for (const name of big) replace(folder.path(`${name}.yaml`), config(name, "x".repeat(100_000)));
    replace(folder.path("small.yaml"), config("small", "1"));
    await followed.until(() => followed.world.has("small"));
    expect([...followed.world.keys()]).toEqual(["small"]);
    open();
    await followed.until(() => big.every((name) => followed.world.has(name)));
  });
});

describe("trouble with the folder", () => {
  /** A clock on which the shortest pause between listings is over soon, and a longer one never; `trusted`: one has begun. */
  function hastyClock(): { readonly clock: Clock; readonly trusted: Promise<void> } {
    const real = systemClock();
    const { promise: trusted, resolve } = Promise.withResolvers<void>();
    const after = (ms: number, action: () => void) => {
      if (ms < 2 * SWEEP_MIN_MS) return real.after(Math.min(ms, 50), action);
      resolve();
      return () => undefined;
    };
    return { clock: { ...real, after }, trusted };
  }
  const deletes = ({ batches }: Followed) => batches.flat().filter(({ type }) => type === "delete");

  test("a link that leads nowhere, put in a file's place, deletes nothing", async () => {
    const folder = makeFolder();
    writeFileSync(folder.path("a.yaml"), config("a", "1"));
    const followed = follow(folder);
    await followed.source.ready;
    symlinkSync("nowhere", folder.path("a.tmp"));
    renameSync(folder.path("a.tmp"), folder.path("a.yaml"));
    await followed.until(() => reasons(followed).includes("a.yaml file-unreadable"));
    expect(followed.world.get("a")).toEqual({ v: "1" });
    replace(folder.path("a.yaml"), config("a", "2"));
    await followed.until(() => JSON.stringify(followed.world.get("a")) === '{"v":"2"}');
    // Where the file has rested when it is seen first, the report goes after the object has come.
    await followed.until(() => reasons(followed).length === 0);
    expect(deletes(followed)).toEqual([]);
  });

  test("a link that leads nowhere at the start stands for what the file said before, until it is removed", async () => {
    const folder = makeFolder();
    writeFileSync(folder.path("a.yaml"), config("a", "1"));
    const before = follow(folder);
    await before.source.ready;
    await before.source.stop();
    unlinkSync(folder.path("a.yaml"));
    symlinkSync("nowhere", folder.path("a.yaml"));
    symlinkSync("nowhere", folder.path("b.yaml"));
    const followed = follow(folder);
    await followed.source.ready;
    expect([...followed.world.entries()]).toEqual([["a", { v: "1" }]]);
    expect(reasons(followed)).toContain("a.yaml file-unreadable");
    unlinkSync(folder.path("a.yaml"));
    await followed.until(() => followed.world.size === 0);
  });

  test("while it is moved away all stands, and another one in its place is followed", async () => {
    const folder = makeFolder();
    writeFileSync(folder.path("a.yaml"), config("a", "1"));
    const followed = follow(folder, hastyClock());
    await followed.source.ready;
    const [away, next] = [`${folder.dir}.away`, `${folder.dir}.new`];
    renameSync(folder.dir, away);
    writeFileSync(join(away, "a.yaml"), config("a", "unseen"));
    await followed.until(() => reasons(followed).includes(". folder-unreadable"));
    mkdirSync(next);
    writeFileSync(join(next, "a.yaml"), config("a", "2"));
    renameSync(next, folder.dir);
    await followed.until(() => JSON.stringify(followed.world.get("a")) === '{"v":"2"}');
    replace(folder.path("a.yaml"), config("a", "3"));
    await followed.until(() => JSON.stringify(followed.world.get("a")) === '{"v":"3"}');
    expect(deletes(followed)).toEqual([]);
  });

  test.each(["dir", ".dir"])("that it is away is told at once, also when it is called %s", async (name) => {
    const folder = makeFolder(name);
    const { clock, trusted } = hastyClock();
    const followed = follow(folder, { clock });
    await trusted;
    renameSync(folder.dir, `${folder.dir}.away`);
    await followed.until(() => reasons(followed).includes(". folder-unreadable"));
  });

  test("more events than the system keeps in mind, of whatever, lose no change", async () => {
    const folder = makeFolder();
    writeFileSync(folder.path("a.yaml"), config("a", "1"));
    writeFileSync(folder.path("0.tmp"), "");
    const { clock, trusted } = hastyClock();
    const followed = follow(folder, { clock });
    await trusted;
    for (let round = 0; round < 10_000; round++) {
      renameSync(folder.path("0.tmp"), folder.path("1.tmp"));
      renameSync(folder.path("1.tmp"), folder.path("0.tmp"));
    }
    replace(folder.path("a.yaml"), config("a", "2"));
    await followed.until(() => JSON.stringify(followed.world.get("a")) === '{"v":"2"}');
  });
});

describe("any sequence of file operations", () => {
  const place = fc.constantFrom("a.yaml", "b.yaml", "x/a.yaml", "x/b.json", "x/y/c.yaml");
  const folder = fc.constantFrom("x", "x/y", "z");
  const operation = fc.oneof(
    fc.record({
      do: fc.constantFrom("write", "replace"),
      to: place,
      name: fc.constantFrom("p", "q"),
      value: fc.nat(9),
    }),
    fc.record({ do: fc.constant("move"), from: fc.oneof(place, folder), to: fc.oneof(place, folder) }),
    fc.record({ do: fc.constant("remove"), from: fc.oneof(place, folder) }),
    fc.record({ do: fc.constant("link"), from: folder, to: fc.constantFrom("l", "x/l", "l.yaml") }),
    fc.record({ do: fc.constant("pause") }),
  );
  const perform = async (step: Record<string, string | number>, path: (name: string) => string) => {
    const from = path(String(step["from"]));
    const to = path(String(step["to"]));
    try {
      mkdirSync(dirname(to), { recursive: true });
      if (step["do"] === "write") writeFileSync(to, config(String(step["name"]), String(step["value"])));
      else if (step["do"] === "replace") replace(to, config(String(step["name"]), String(step["value"])));
      else if (step["do"] === "move") renameSync(from, to);
      else if (step["do"] === "remove") rmSync(from, { recursive: true });
      else if (step["do"] === "link") symlinkSync(from, to);
      else await nextTurn();
    } catch {
      // Moves of what is not there are part of the game.
    }
  };

  test("ends with the objects of a fresh load", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 12 }), async (steps) => {
        const { dir, stateDir, path } = makeFolder();
        const edited = follow({ dir, stateDir });
        await edited.source.ready;
        for (const step of steps) await perform(step, path);
        const fresh = follow({ dir, stateDir: `${stateDir}-fresh` });
        await fresh.source.ready;
        await edited.until(
          () =>
            isDeepStrictEqual(new Map([...edited.world].sort()), new Map([...fresh.world].sort())) &&
            isDeepStrictEqual(edited.source.rejections(), fresh.source.rejections()),
        );
        await edited.source.stop();
        await fresh.source.stop();
      }),
      { numRuns: 25 },
    );
  }, 60_000);
});

describe("a file with a mistake", () => {
  test("keeps its last good state, over a restart too, until it is right or gone", async () => {
    const folder = makeFolder();
    writeFileSync(folder.path("a.yaml"), config("a", "1"));
    const first = follow(folder);
    await first.source.ready;
    replace(folder.path("a.yaml"), `${config("a", "2")}\n  broken: [\n`);
    await first.until(() => first.source.rejections().length > 0);
    expect(first.source.rejections()).toMatchObject([{ file: "a.yaml", reason: "syntax-error", line: 6 }]);
    expect(first.world.get("a")).toEqual({ v: "1" });
    await first.source.stop();

    const second = follow(folder);
    await second.source.ready;
    expect(second.world.get("a")).toEqual({ v: "1" });
    expect(reasons(second)).toEqual(["a.yaml syntax-error"]);
    replace(folder.path("a.yaml"), config("a", "3"));
    await second.until(() => JSON.stringify(second.world.get("a")) === '{"v":"3"}');
    expect(second.source.rejections()).toEqual([]);
    await second.source.stop();

    writeFileSync(folder.path("a.yaml"), "a: [\n");
    const third = follow(folder);
    await third.source.ready;
    expect(third.world.get("a")).toEqual({ v: "3" });
    unlinkSync(folder.path("a.yaml"));
    await third.until(() => third.world.size === 0);
    await third.source.stop();
    expect(readdirSync(folder.stateDir)).toEqual([]);
  });

  test("is right again, without a report, when it says what it said before; so is one that was removed", async () => {
    const folder = makeFolder();
    const write = (text: string) => replace(folder.path("a.yaml"), text);
    writeFileSync(folder.path("a.yaml"), config("a", "1"));
    const followed = follow(folder);
    await followed.source.ready;
    write("a: [\n");
    await followed.until(() => followed.source.rejections().length > 0);
    write(config("a", "1"));
    await followed.until(() => followed.source.rejections().length === 0);
    unlinkSync(folder.path("a.yaml"));
    await followed.until(() => followed.world.size === 0);
    write(config("a", "1"));
    await followed.until(() => followed.world.has("a"));
  });

  test("that was never right gives nothing, and neither do entries of files that are gone", async () => {
    const folder = makeFolder();
    mkdirSync(folder.stateDir);
    writeFileSync(join(folder.stateDir, "0123.manifest"), "{}");
    writeFileSync(folder.path("a.yaml"), `${config("a", "1")}---\n: : :\n\t`);
    const followed = follow(folder);
    await followed.source.ready;
    expect(followed.world.size).toBe(0);
    expect(reasons(followed)).toEqual(["a.yaml syntax-error"]);
    await followed.source.stop();
    expect(readdirSync(folder.stateDir)).toEqual([]);
  });
});
