/**
 * Holds the source tree against its own rules (ARCHITECTURE.md, CONTRIBUTING.md): the import table, cycles, files that
 * nothing reaches, default exports, output outside the CLI, sizes, names, paths of one machine.
 *
 * `node scripts/tidy.ts` prints what it finds as `path:line: message [rule]` and ends with 1 when something is wrong.
 */
import { readFileSync } from "node:fs";
import { join, posix } from "node:path";
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

/** Programs that something outside of the sources starts: npm's and Deno's scripts, CI, manifests, documents. */
function entries(root: string, paths: readonly string[]): string[] {
  const naming = paths.filter((path) => path === ".ci/run" || /\.(ya?ml|md)$|^(package|deno)\.json$/.test(path));
  return naming.flatMap((path) => {
    const named = readFileSync(join(root, path), "utf8").matchAll(/[\w./-]*\w\.(?:ts|mjs)\b/g);
    return [...named].flatMap(([entry]) => [entry, posix.join(posix.dirname(path), entry)]);
  });
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
