/**
 * Holds the source tree against its own rules (ARCHITECTURE.md, CONTRIBUTING.md): the import table, cycles, files that
 * nothing reaches, default exports, output outside the CLI, sizes, names, paths of one machine.
 *
 * `node scripts/tidy.ts` prints what it finds as `path:line: message [rule]` and ends with 1 when something is wrong.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { checkSource, checkText } from "./tidy/file-rules.ts";
import type { Finding } from "./tidy/import-rules.ts";
import { checkCycles, checkImports, checkReach } from "./tidy/import-rules.ts";
import { listFiles, readSource } from "./tidy/source-tree.ts";

/** Everything that is wrong with, or to be said about, the tree at `root`. */
export function tidy(root: string): Finding[] {
  const paths = listFiles(root);
  const sources = paths.filter((path) => /\.(ts|mjs)$/.test(path) && !path.endsWith(".d.ts"));
  const files = sources.map((path) => readSource(root, path));
  return [
    ...paths.flatMap((path) => checkText(path, readFileSync(join(root, path), "utf8"))),
    ...files.flatMap((file) => [...checkImports(file), ...checkSource(file)]),
    ...checkCycles(files),
    ...checkReach(files, entries(root, paths)),
  ];
}

/** Programs that something outside the sources starts: the scripts of package.json and deno.json, CI, documents. */
function entries(root: string, paths: readonly string[]): string[] {
  const named = ["package.json", "deno.json", ".ci/run", "README.md", "CONTRIBUTING.md"].filter((p) =>
    paths.includes(p),
  );
  return named.flatMap((path) =>
    [...readFileSync(join(root, path), "utf8").matchAll(/[\w./-]+\.(?:ts|mjs)\b/g)].map(([entry]) => entry),
  );
}

/** A finding as one line of text. */
export function describeFinding({ path, line, message, rule, strength }: Finding): string {
  return `${path}:${line}: ${message} [${rule}${strength === "advice" ? ", advice" : ""}]`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const findings = tidy(join(fileURLToPath(import.meta.url), "../.."));
  for (const finding of findings) console.log(describeFinding(finding));
  if (findings.some(({ strength }) => strength === "error")) process.exitCode = 1;
}
