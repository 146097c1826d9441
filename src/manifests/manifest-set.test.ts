import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { finish } from "../lib/mod.ts";
import { createManifestSet, type ManifestSet } from "./manifest-set.ts";
import { type ParsedFile, parseManifestText, unreadableFile } from "./manifest-text.ts";

/** A file with these objects: name -> content. */
function fileOf(file: string, contents: Readonly<Record<string, string>>): ParsedFile {
  const documents = Object.entries(contents).map(
    ([name, value]) => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "${name}"}\ndata: {v: "${value}"}\n`,
  );
  return parseManifestText(documents.join("---\n"), file);
}

/** Follows a set's changes, as a consumer would. */
function follow(set: ManifestSet) {
  const world = new Map<string, string>();
  const take = (withDeletes = true) => {
    const changes = finish(set.takeChanges(withDeletes));
    for (const change of changes) {
      if (change.type === "delete") world.delete(change.manifest.name);
      else world.set(change.standing.manifest.name, `${change.standing.origin.file}:${change.standing.manifest.json}`);
    }
    return changes.map(({ type }) => type);
  };
  return { world, take };
}

describe("objects of several files", () => {
  test("the first path stands, the second is reported and takes over when the first goes", () => {
    const set = createManifestSet();
    const { world, take } = follow(set);
    set.put("b.yaml", fileOf("b.yaml", { x: "from b" }));
    take();
    set.put("a.yaml", fileOf("a.yaml", { x: "from a" }));
    expect(take()).toEqual(["apply"]);
    expect(world.get("x")).toContain("from a");
    expect(set.rejections()).toMatchObject([
      { reason: "duplicate-object", file: "b.yaml", name: "x", strength: "object" },
    ]);
    set.remove("a.yaml");
    expect(take()).toEqual(["apply"]);
    expect(world.get("x")).toContain("from b");
    expect(set.rejections()).toEqual([]);
  });

  test("an object that moves to another file is not deleted", () => {
    const set = createManifestSet();
    const { take } = follow(set);
    set.put("a.yaml", fileOf("a.yaml", { x: "1" }));
    take();
    set.remove("a.yaml");
    expect(take(false)).toEqual([]);
    expect(set.hasDeletes()).toBe(true);
    set.put("b.yaml", fileOf("b.yaml", { x: "1" }));
    expect(take(true)).toEqual(["apply"]);
    expect(set.hasDeletes()).toBe(false);
  });

  test("a file that is touched but says the same changes nothing", () => {
    const set = createManifestSet();
    const { take } = follow(set);
    set.put("a.yaml", fileOf("a.yaml", { x: "1", y: "2" }));
    expect(take()).toEqual(["apply", "apply"]);
    set.put("a.yaml", fileOf("a.yaml", { x: "1", y: "2" }));
    expect(take()).toEqual([]);
    set.put("a.yaml", fileOf("a.yaml", { x: "1", y: "3" }));
    expect(take()).toEqual(["apply"]);
  });

  test("a file that cannot be read keeps what it said, and its report goes when it can be read again", () => {
    const set = createManifestSet();
    const { world, take } = follow(set);
    set.put("a.yaml", fileOf("a.yaml", { x: "1" }));
    take();
    set.put("a.yaml", unreadableFile("a.yaml", 3, "syntax-error", "Line 3"));
    expect(take()).toEqual([]);
    expect(world.size).toBe(1);
    expect(set.rejections()).toMatchObject([{ reason: "syntax-error", line: 3 }]);
    set.put("a.yaml", fileOf("a.yaml", {}));
    expect(take()).toEqual(["delete"]);
    expect(set.rejections()).toEqual([]);
  });

  test("the same object twice in one file: the first stands", () => {
    const set = createManifestSet();
    const text = fileOf("a.yaml", { x: "1" });
    set.put("a.yaml", { ...text, objects: [...text.objects, ...text.objects] });
    expect(finish(set.takeAll())).toHaveLength(1);
    expect(set.rejections()).toMatchObject([{ reason: "duplicate-object" }]);
  });

  test("any sequence of edits ends like a fresh load", () => {
    const file = fc.constantFrom("a", "b", "c/d");
    const contents = fc.dictionary(fc.constantFrom("x", "y", "z"), fc.constantFrom("1", "2"), {
      noNullPrototype: true,
    });
    const step = fc.tuple(file, fc.option(contents), fc.boolean());
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const edited = createManifestSet();
        const { world, take } = follow(edited);
        const last = new Map<string, Readonly<Record<string, string>>>();
        for (const [path, objects, withDeletes] of steps) {
          if (objects === null) edited.remove(path);
          else edited.put(path, fileOf(path, objects));
          if (objects === null) last.delete(path);
          else last.set(path, objects);
          take(withDeletes);
        }
        take();
        const fresh = createManifestSet();
        for (const [path, objects] of last) fresh.put(path, fileOf(path, objects));
        const expected = finish(fresh.takeAll()).map(({ manifest, origin }) => [
          manifest.name,
          `${origin.file}:${manifest.json}`,
        ]);
        expect([...world].sort()).toEqual(expected.sort());
        expect(edited.rejections()).toEqual(fresh.rejections());
      }),
      { numRuns: 200 },
    );
  });
});
