import { lstatSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { readManifest, readWholeJson } from "./file-reader.ts";
import { fingerprintOf } from "./folder-scan.ts";
import { parseManifestText } from "./manifest-text.ts";

test("a small file that is written again as it was is not parsed again, one with another text of that length is", async () => {
  const dir = mkdtempSync(join(tmpdir(), "osm-read-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const write = (name: string) => {
    writeFileSync(join(dir, "a.json"), JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name } }));
    return fingerprintOf(lstatSync(join(dir, "a.json")));
  };
  const parse = () => Promise.reject(new Error("small files are parsed on the spot"));
  const first = await readManifest(dir, "a.json", write("a"), { parse, before: undefined });
  expect(first?.parsed?.objects).toMatchObject([{ name: "a" }]);
  const before = first?.content;
  const seen = write("a");
  const same = { parsed: undefined, content: before };
  expect(await readManifest(dir, "a.json", seen, { parse, before })).toEqual(same);
  expect(readWholeJson(dir, "a.json", seen, before)).toEqual(same);
  const other = write("b");
  const text = JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "b" } });
  const parsed = parseManifestText(text, "a.json");
  expect(await readManifest(dir, "a.json", other, { parse, before })).toMatchObject({ parsed });
  expect(readWholeJson(dir, "a.json", other, before)).toMatchObject({ parsed });
});
