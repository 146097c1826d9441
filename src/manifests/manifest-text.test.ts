import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseManifestText } from "./manifest-text.ts";
import { readYaml } from "./yaml-document.ts";

const parse = (text: string) => parseManifestText(text, "a.yaml");
const namesOf = (text: string) =>
  parse(text).objects.map(({ kind, namespace, name, line }) => `${kind} ${namespace}/${name}:${line}`);
const reasonsOf = (text: string) =>
  parse(text).rejections.map(({ line, reason, field }) => `${line} ${reason} ${field}`);
const scalarOf = (scalar: string) => {
  const read = readYaml(`k: ${scalar}\n`);
  if ("message" in read) return read;
  const [document] = read.documents;
  return (document?.value as { k: unknown } | undefined)?.k;
};

describe("YAML is read as kubectl reads it", () => {
  // Each line was checked against sigs.k8s.io/yaml 1.4.
  const table: readonly [string, unknown][] = [
    ["no", false],
    ["off", false],
    ["y", true],
    ["ON", true],
    ["oN", "oN"],
    ["'no'", "no"],
    ["!!str no", "no"],
    ['!!int "3"', 3],
    ["017", 15],
    ["0o17", 15],
    ["089", 89],
    ["0x1F", 31],
    ["0b11", 3],
    ["1_000", 1000],
    ["1e3", 1000],
    [".5", 0.5],
    ["1.", 1],
    ["1e400", "1e400"],
    ["12:30:45", "12:30:45"],
    ["2020-01-01", "2020-01-01"],
    ["~", null],
    ["", null],
    ["0.1.2", "0.1.2"],
    ["<<", "<<"],
    ["{x: &m {a: 1, b: 2}, z: {<<: *m, c: 3}}", { x: { a: 1, b: 2 }, z: { a: 1, b: 2, c: 3 } }],
    ["{1: x, no: z}", { 1: "x", false: "z" }],
  ];
  test.each(table)("%s", (scalar, value) => {
    expect(scalarOf(scalar)).toEqual(value);
  });

  test.each([
    ["a key that is there twice", "a: 1\nb: 2\na: 3\n", 3],
    ["an alias without anchor", "a: 1\nb: *x\n", 2],
    ["a tab as indentation", "a:\n\tb: 1\n", 2],
    ["a number that JSON does not have", "a: 1\nb: .inf\n", 2],
    ["an unclosed list", "a: 1\nb: [1,\n", 3],
  ])("%s is named with its line", (_name, text, line) => {
    expect(readYaml(text)).toMatchObject({ line, message: expect.any(String) });
  });
});

describe("objects of a file", () => {
  const service = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n";

  test("several documents, each with the line that it starts on; empty ones mean nothing", () => {
    expect(
      namesOf(`# top\n---\n${service}---\n---\n# only words\n---\n\n${service.replace("a}", "b, namespace: shop}")}`),
    ).toEqual(["Service default/a:3", "Service shop/b:11"]);
  });

  test("List objects, in YAML with the line of each item, and typed lists whose items do not say what they are", () => {
    const list = `apiVersion: v1\nkind: List\nitems:\n- ${service.replaceAll("\n", "\n  ")}\n- apiVersion: v1\n  kind: Namespace\n  metadata: {name: shop, namespace: x}\n`;
    expect(namesOf(list)).toEqual(["Service default/a:4", "Namespace /shop:8"]);
    expect(namesOf('{"kind":"PodList","apiVersion":"v1","items":[{"metadata":{"name":"p"}}]}')).toEqual([
      "Pod default/p:1",
    ]);
  });

  test("an object is known by its content: spelling and place do not change its hash", () => {
    const [yaml] = parse(service).objects;
    const [json] = parse('\n{"apiVersion":"v1","kind":"Service","metadata":{"name":"a"}}').objects;
    expect(json).toEqual({ ...yaml, line: 2 });
  });

  test("a document that is no object is told of with its line, and the others stand", () => {
    const text = `${service}---\nkind: Service\nmetadata: {name: b}\n---\njust words\n---\napiVersion: v1\nkind: Pod\nmetadata: {generateName: x-}\n`;
    expect(parse(text).isReadable).toBe(true);
    expect(namesOf(text)).toHaveLength(1);
    expect(reasonsOf(text)).toEqual([
      "5 field-required apiVersion",
      "8 not-an-object ",
      "10 field-required metadata.name",
    ]);
  });

  test("a text that cannot be read says where, and gives no objects at all", () => {
    expect(parse(`${service}---\na: [\n`)).toMatchObject({
      isReadable: false,
      objects: [],
      rejections: [{ file: "a.yaml", line: 6, reason: "syntax-error" }],
    });
  });
});

describe("hostile texts cost a report", () => {
  test("aliases that would expand to gigabytes", () => {
    const levels = Array.from(
      { length: 12 },
      (_, level) => `a${level + 1}: &a${level + 1} [${`*a${level},`.repeat(10)}]`,
    );
    expect(readYaml(`a0: &a0 ha\n${levels.join("\n")}\n`)).toMatchObject({
      message: expect.stringContaining("aliases"),
    });
    const long = `a: &a "${"x".repeat(100_000)}"\nb: [${"*a,".repeat(100_000)}]\n`;
    expect(readYaml(long)).toMatchObject({ message: expect.stringContaining("aliases") });
  });

  test("nesting without end, in YAML and in JSON", () => {
    for (const text of ["[".repeat(1e6), "- ".repeat(1e5), `${'{"a":'.repeat(1e5)}1${"}".repeat(1e5)}`]) {
      expect(parse(text).rejections).toMatchObject([{ strength: "object" }]);
    }
    const deep = `{"apiVersion":"v1","kind":"X","metadata":{"name":"a"},"spec":${"[".repeat(5000)}${"]".repeat(5000)}}`;
    expect(reasonsOf(deep)).toEqual(["1 nesting-too-deep "]);
  });

  test("many bad documents are told of in a bounded list", () => {
    const { rejections } = parse("---\nwords\n".repeat(5000));
    expect(rejections).toHaveLength(101);
    expect(rejections.at(-1)).toMatchObject({ reason: "more-rejections", message: expect.stringContaining("4900") });
  });

  test("member names that JavaScript gives a meaning stay plain members", () => {
    const text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n__proto__: {polluted: true}\nconstructor: 1\n";
    const [object] = parse(text).objects;
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    expect(Object.keys(JSON.parse(object?.json ?? "{}") as object)).toContain("__proto__");
  });

  test("no text makes the reader throw", () => {
    const scraps = fc.constantFrom(
      "a",
      ": ",
      "- ",
      "\n",
      "  ",
      "[",
      "]",
      "{",
      "}",
      "&a ",
      "*a",
      "!!int ",
      "|",
      ">",
      "'",
      '"',
      "#",
      "---\n",
      "<<: ",
      "?",
      ",",
      "%",
      "\t",
      "\r",
      "1",
      "é",
      "\u0000",
      "kind",
      "items",
    );
    fc.assert(
      fc.property(fc.array(scraps, { maxLength: 30 }), (parts) => {
        const parsed = parse(parts.join(""));
        expect(parsed.isReadable || parsed.rejections.length === 1).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});
