import { expect, test } from "vitest";
import { NameIndex, viewOf } from "./name-index.ts";
import { joined } from "./wire-names.ts";

/** The text alone, in the middle of other bytes. */
const asked = (text: string) => {
  const bytes = Buffer.from(`....${text}....`);
  return [viewOf(bytes), 4, bytes.length - 4] as const;
};

test("each of hundreds of names is found with its own version, and none that differs from it in a letter", () => {
  const entries = Array.from({ length: 500 }, (_, n) => ({
    name: `team-${n % 7}/größe-${n}|80`,
    version: `v${n * n}`,
  }));
  const index = new NameIndex(entries);
  for (const [position, { name, version }] of entries.entries()) {
    expect(index.find(...asked(name))).toBe(position);
    expect(index.hasVersion(position, ...asked(version))).toBe(true);
    expect(index.hasVersion(position, ...asked(`${version}0`))).toBe(false);
    expect(index.find(...asked(`${name}0`))).toBe(-1);
    expect(index.find(...asked(name.slice(1)))).toBe(-1);
    expect(index.find(...asked(name.replace("ö", "o")))).toBe(-1);
  }
});

test("a name of any length is told from its neighbour, an empty one too, and none is found where there are none", () => {
  const names = Array.from({ length: 12 }, (_, length) => "abcabcabcabc".slice(0, length));
  const index = new NameIndex(names.map((name) => ({ name, version: name })));
  expect(names.map((name) => index.find(...asked(name)))).toEqual(names.map((_, position) => position));
  expect(names.map((name) => index.find(...asked(`${name}x`)))).toEqual(names.map(() => -1));
  expect(new NameIndex([]).find(...asked(""))).toBe(-1);
});

test("texts are joined where their bytes are, not their characters", () => {
  const places: number[] = [];
  const bytes = joined(["ä", "", "b"], places);
  expect([bytes.toString(), places]).toEqual(["äb", [0, 2, 2, 2, 2, 3]]);
});
