import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FolderFeed } from "./feed.ts";
import { FeedTroubleError } from "./feed-trouble.ts";
import { openFeed } from "./run-target.ts";
import { libraryScenario } from "./scenario-library.ts";
import { namedShape, type Shape } from "./shape.ts";
import { World } from "./world.ts";

let top: string;
let folder: string;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "osm-feed-"));
  folder = join(top, "mesh");
  mkdirSync(join(folder, "sub"), { recursive: true });
  writeFileSync(join(folder, "own.yaml"), "of the user");
  writeFileSync(join(folder, "sub", "further.yaml"), "of the user, too");
});
afterEach(() => rmSync(top, { recursive: true, force: true }));

/** A process that has the folder moved away, writes a file where it is to come back, and then does as told. */
function movingAway(then: string): string {
  const module = (name: string) => JSON.stringify(new URL(name, import.meta.url).href);
  return `
    import { writeFileSync } from "node:fs";
    import { join } from "node:path";
    import process from "node:process";
    const { FolderFeed } = await import(${module("./feed.ts")});
    const folder = ${JSON.stringify(folder)};
    const feed = new FolderFeed(folder + "/");
    feed.prepare(undefined, [], { kind: "away" }).commit();
    writeFileSync(join(folder + ".next", "back", "changed.json"), "meanwhile");
    ${then}`;
}

const program = "Deno" in globalThis ? ["run", "-A", "-"] : ["--input-type=module", "-"];

function expectAll(): void {
  expect(readdirSync(folder).sort()).toEqual(["changed.json", "own.yaml", "sub"]);
  expect(readFileSync(join(folder, "sub", "further.yaml"), "utf8")).toBe("of the user, too");
}

test("a folder that is away when the process exits comes back, whatever ended the run", () => {
  execFileSync(process.execPath, program, { input: movingAway("process.exit(0);") });
  expectAll();
});

test("a folder that is away when the process is killed comes back with the next run", async () => {
  const child = spawn(process.execPath, program, { stdio: ["pipe", "ignore", "inherit"] });
  child.stdin.end(movingAway('process.kill(process.pid, "SIGKILL");'));
  await once(child, "exit");
  expect(existsSync(folder)).toBe(false);
  const feed = new FolderFeed(folder);
  expectAll();
  feed.close();
  expect(readdirSync(top)).toEqual(["mesh"]);
});

test("a run that was killed just as its folder was back does not hinder the next one", () => {
  mkdirSync(join(`${folder}.next`, "away"), { recursive: true });
  writeFileSync(join(`${folder}.next`, "away", "own.yaml"), "of the user");
  const feed = new FolderFeed(folder);
  feed.prepare(new World(namedShape("W1") as Shape), [], { kind: "away" }).commit();
  feed.close();
  expect(readdirSync(folder)).toEqual(["own.yaml", "sub"]);
});

test("a run that is given up while its own folder is away leaves nothing to do at the end of the process", () => {
  const before = process.listenerCount("exit");
  const { feed, close } = openFeed(libraryScenario("smoke"));
  feed?.prepare(new World(namedShape("W1") as Shape), [], { kind: "away" }).commit();
  close();
  expect(process.listenerCount("exit")).toBe(before);
});

test("when the folder was made anew meanwhile, nothing is touched, and one sentence says what to do", () => {
  const feed = new FolderFeed(folder);
  feed.prepare(new World(namedShape("W1") as Shape), [], { kind: "away" }).commit();
  mkdirSync(folder);
  expect(() => new FolderFeed(folder)).toThrow(FeedTroubleError);
  expect(() => new FolderFeed(folder)).toThrow(`remove ${folder}.next`);
  expect(readdirSync(folder)).toEqual([]);
  rmSync(folder, { recursive: true });
  feed.close();
  expect(readdirSync(folder)).toEqual(["own.yaml", "sub"]);
});

test("a folder with somebody else's manifests is refused, and nothing in it is touched", () => {
  const feed = new FolderFeed(folder);
  expect(() => feed.claim()).toThrow(FeedTroubleError);
  expect(() => feed.claim()).toThrow(`${folder} holds `);
  feed.close();
  expect(readdirSync(folder)).toEqual(["own.yaml", "sub"]);
});

test("a folder that cannot be made is told in a sentence, and not as a fault of ours", () => {
  expect(() => new FolderFeed(join(folder, "own.yaml"))).toThrow(FeedTroubleError);
  // Below it nothing can be made, and nothing says so: Node's own way of making folders would never return.
  if (process.platform === "linux") expect(() => new FolderFeed("/proc/osm/mesh")).toThrow(FeedTroubleError);
});

test("a folder in which a link leads to somebody else's manifests is refused", () => {
  const own = join(top, "own");
  const feed = new FolderFeed(own);
  feed.claim();
  symlinkSync(folder, join(own, "linked"));
  expect(() => feed.claim()).toThrow("linked");
  feed.close();
});

test("what another scenario has left in the folder is removed, and not what somebody has added since", () => {
  const own = join(top, "own");
  const worlds = (["W1", "O200"] as const).map((name) => new World(namedShape(name) as Shape));
  for (const [place, world] of worlds.entries()) {
    const feed = new FolderFeed(own);
    feed.claim();
    feed.writeAll(world, new Set(world.fileKeys().slice(0, place === 0 ? 9 : 3)));
    feed.close();
  }
  const { length } = worlds[1]?.objects() ?? [];
  const written = readdirSync(own).filter((name) => name.endsWith(".json"));
  const items = written.flatMap((name) => {
    const content = JSON.parse(readFileSync(join(own, name), "utf8")) as { readonly items?: readonly unknown[] };
    return content.items ?? [content];
  });
  expect(items).toHaveLength(length);
  writeFileSync(join(own, "later.yaml"), "of the user");
  const feed = new FolderFeed(own);
  expect(() => feed.claim()).toThrow("later.yaml");
  feed.close();
  expect(readdirSync(own).sort()).toEqual([".osm-fleet", "later.yaml", ...written].sort());
});
