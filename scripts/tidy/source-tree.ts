import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import type { Comment, Program } from "oxc-parser";
import { parseSync } from "oxc-parser";

/** A path that one file names to get at another. */
export interface Reference {
  /** Relative to the root of the tree, e.g. `src/lib/mod.ts`; a package's or `node:` module's name as it is written. */
  readonly target: string;
  readonly line: number;
  /** A `path` is a file by its name in a string: a worker's URL, a program that is started. */
  readonly kind: "import" | "package" | "path";
}

export interface SourceFile {
  /** Relative to the root, with `/`. */
  readonly path: string;
  readonly text: string;
  readonly lines: number;
  readonly references: readonly Reference[];
  readonly hasDefaultExport: boolean;
  readonly comments: readonly Comment[];
  readonly program: Program;
  lineAt(offset: number): number;
}

const skipped = new Set(["node_modules", "coverage", ".git", ".osm", "gen"]);
const binary = /\.(png|ico|gz|zip|woff2?)$/;

/** Paths of all files of the tree that are text and not generated, sorted. */
export function listFiles(root: string, folder = ""): string[] {
  const found: string[] = [];
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = posix.join(folder, entry.name);
    if (entry.isDirectory()) {
      if (!skipped.has(entry.name)) found.push(...listFiles(root, path));
    } else if (entry.isFile() && !binary.test(entry.name)) found.push(path);
  }
  return found.sort();
}

/** Parses a TypeScript or JavaScript file; throws when it does not parse. */
export function readSource(root: string, path: string): SourceFile {
  return parseSource(path, readFileSync(join(root, path), "utf8"));
}

/** As {@link readSource}, of text that is at hand. */
export function parseSource(path: string, text: string): SourceFile {
  const { program, module, comments, errors } = parseSync(path, text);
  const error = errors[0];
  if (error) throw new Error(`${path} does not parse: ${error.message}`);
  const lineAt = lineFinder(text);
  const imported = [
    ...module.staticImports.map((statement) => statement.moduleRequest),
    ...module.staticExports.flatMap((statement) => statement.entries.map((entry) => entry.moduleRequest ?? [])).flat(),
    ...module.dynamicImports.map(({ moduleRequest: at }) => ({ ...at, value: unquote(text.slice(at.start, at.end)) })),
  ];
  const references: Reference[] = imported.map(({ value, start }) => ({
    target: resolveTarget(path, value),
    line: lineAt(start),
    kind: value.startsWith(".") ? "import" : "package",
  }));
  for (const match of text.matchAll(/["'`]([\w./-]+\.(?:ts|mjs))["'`]/g)) {
    const target = match[1] ?? "";
    const line = lineAt(match.index);
    references.push({ target: resolveTarget(path, target), line, kind: "path" });
    references.push({ target: posix.normalize(target), line, kind: "path" });
  }
  return {
    path,
    text,
    lines: text.split("\n").length - 1,
    references,
    hasDefaultExport: module.staticExports.some(({ entries }) => entries.some((e) => e.exportName.kind === "Default")),
    comments,
    program,
    lineAt,
  };
}

function unquote(literal: string): string {
  return literal.replace(/^["'`]|["'`]$/g, "");
}

function resolveTarget(from: string, request: string): string {
  return request.startsWith(".") ? posix.join(dirname(from), request) : request;
}

function lineFinder(text: string): (offset: number) => number {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return (offset) => {
    const next = starts.findIndex((start) => start > offset);
    return next < 0 ? starts.length : next;
  };
}
