import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const read = (path: string) => readFileSync(join(root, path), "utf8");

function filesIn(folder: string, isWanted: (path: string) => boolean): readonly string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .map((path) => join(folder, path))
    .filter(isWanted);
}

const documents = [
  ...["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"],
  ...["docs", "src", "demo", "test", "perf-results", "proto"].flatMap((folder) =>
    filesIn(folder, (path) => path.endsWith(".md")),
  ),
];

/** Product sources of some rooms, as one text. */
function sourcesOf(...rooms: readonly string[]): string {
  return rooms
    .flatMap((room) => filesIn(room, (path) => path.endsWith(".ts") && !path.endsWith(".test.ts")))
    .map(read)
    .join("\n");
}

/** Anchors as GitHub makes them from headings. */
function anchorsOf(path: string): readonly string[] {
  return [...read(path).matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .trim()
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}

function brokenLinks(document: string): readonly string[] {
  return [...read(document).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = ""]) => target)
    .filter((target) => !/^https?:/.test(target))
    .filter((target) => {
      const [path = "", anchor] = target.split("#");
      const file = path === "" ? document : normalize(join(dirname(document), path));
      if (!existsSync(join(root, file))) return true;
      return anchor !== undefined && !anchorsOf(file).includes(anchor);
    });
}

const unique = (found: Iterable<RegExpMatchArray>) => [...new Set([...found].map(([, text = ""]) => text))].sort();

/** Reason codes that may reach a user: written out, or handed to one of the functions that note a problem. */
function reasonCodes(): readonly string[] {
  const sources = sourcesOf("src/translate", "src/mesh", "src/manifests", "src/local");
  const written = unique(sources.matchAll(/reason: "([a-z]+(?:-[a-z]+)+)"/g));
  const calls = sources.matchAll(/\b(?:reject|rejectPart|part|problem|unreadableFile)\(([\s\S]*?)\);/g);
  const handed = [...calls].flatMap(([, args = ""]) => unique(args.matchAll(/"([a-z]+(?:-[a-z]+)+)"/g)));
  return [...new Set([...written, ...handed])].sort();
}

describe("the documents", () => {
  test("lead nowhere that does not exist", () => {
    const broken = documents.flatMap((document) => brokenLinks(document).map((target) => `${document}: ${target}`));
    expect(documents).toContain(join("docs", "serve.md"));
    expect(broken).toEqual([]);
  });

  test("explain every reason for which an object may have no effect", () => {
    const explained = read("docs/rejections.md");
    const codes = reasonCodes();
    expect(codes).toContain("match-unknown");
    expect(codes.filter((code) => !explained.includes(`\`${code}\``))).toEqual([]);
  });

  test("explain no reason that is gone", () => {
    const explained = unique(
      [...read("docs/rejections.md").matchAll(/^\| (`[^|]*`) \|/gm)].flatMap(([, cell = ""]) => [
        ...cell.matchAll(/`([a-z-]+)`/g),
      ]),
    );
    const sources = sourcesOf("src");
    expect(explained.filter((code) => !sources.includes(`"${code}"`))).toEqual([]);
  });

  test("explain every metric", () => {
    const metrics = unique(sourcesOf("src").matchAll(/\b(?:counter|gauge|histogram|observed)\(\s*"(\w+)"/g));
    const explained = read("docs/admin.md");
    expect(metrics).toContain("osm_proxy_connect_count");
    expect(metrics.filter((name) => !explained.includes(`\`${name}`))).toEqual([]);
  });

  test("explain every command", () => {
    const commands = unique(read("src/cli/mod.ts").matchAll(/\bname: "([a-z ]+)"/g));
    const explained = read("docs/commands.md");
    expect(commands).toContain("proxy bootstrap");
    expect(commands.filter((name) => !explained.includes(`\`osm ${name}`))).toEqual([]);
  });
});
