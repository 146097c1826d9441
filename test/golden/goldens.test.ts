import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { JsonValue } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { goldenCases, goldenFolder } from "./cases.ts";

/** `UPDATE_GOLDEN=1` writes what is generated now, and deletes files that no case has. */
const isUpdating = process.env["UPDATE_GOLDEN"] === "1";
const files = ["resource.json", "view.json"];
const cases = goldenCases();

/** The log format is the same everywhere: it is spelled out in one case and named in the others. */
function abridged(value: JsonValue, caseName: string): JsonValue {
  if (caseName === "metrics-listener" || value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map((item) => abridged(item, caseName));
  const short = Object.entries(value).map(([key, item]) => [
    key,
    key === "json_format" ? "as in metrics-listener" : abridged(item, caseName),
  ]);
  return Object.fromEntries(short) as JsonValue;
}

describe("generated Envoy configuration", () => {
  test.each(cases)("$name is what was reviewed", ({ name, resource, decoded }) => {
    const path = new URL(`${name}/resource.json`, goldenFolder);
    const { typeUrl, version } = resource;
    // The version is a hash of the bytes: this test on another runtime shows that both write the same.
    const text = `${JSON.stringify({ typeUrl, version, resource: abridged(decoded, name) }, null, 2)}\n`;
    if (isUpdating) writeFileSync(path, text);
    expect(text).toBe(readFileSync(path, "utf8"));
  });

  test("no file is left over from a case that is gone", () => {
    const orphans = cases.flatMap(({ name }) =>
      readdirSync(new URL(`${name}/`, goldenFolder))
        .filter((file) => !files.includes(file))
        .map((file) => new URL(`${name}/${file}`, goldenFolder)),
    );
    if (isUpdating) for (const orphan of orphans) rmSync(orphan, { recursive: true });
    expect(isUpdating ? [] : orphans.map(String)).toEqual([]);
  });
});
