import { basename } from "node:path";
import type { Function as FunctionNode } from "oxc-parser";
import { Visitor } from "oxc-parser";
import type { Finding } from "./import-rules.ts";
import { roomOf } from "./import-rules.ts";
import { bannedNames, fileLines, functionLines, mayExportDefault, mayUseConsole, rooms } from "./rooms.ts";
import type { SourceFile } from "./source-tree.ts";

/** Rules about one parsed file: what it exports, calls and how long it is. */
export function checkSource(file: SourceFile): Finding[] {
  const findings: Finding[] = [];
  const report = (rule: string, line: number, message: string, strength: Finding["strength"] = "error") =>
    findings.push({ rule, path: file.path, line, message, strength });

  if (file.hasDefaultExport && !mayExportDefault.includes(file.path)) {
    report("exports", 1, "has a default export: give it a name");
  }
  if (file.lines > fileLines.refused) {
    report("size", 1, `${file.lines} lines, more than ${fileLines.refused}: split it by what it does`);
  } else if (file.lines > fileLines.reported) {
    report("size", 1, `${file.lines} lines (aim: below ${fileLines.reported})`, "advice");
  }
  for (const comment of file.comments) {
    const word = /\b(TODO|FIXME|XXX|HACK)\b(?!\s*\(?#\d+)/.exec(comment.value)?.[1];
    if (word) report("todo", file.lineAt(comment.start), `${word} without the number of an issue`);
  }
  if (!file.path.endsWith(".test.ts")) checkCode(file, report);
  return findings;
}

function checkCode(
  file: SourceFile,
  report: (rule: string, line: number, message: string, strength?: Finding["strength"]) => void,
): void {
  const room = roomOf(file.path);
  const consoleAllowed = mayUseConsole.some((place) => file.path === place || file.path.startsWith(`${place}/`));
  const injectedTime = rooms[room]?.injectedTime ?? false;
  const measure = (node: { start: number; end: number }) => {
    const from = file.lineAt(node.start);
    const lines = file.lineAt(node.end) - from + 1;
    if (lines > functionLines)
      report("size", from, `a function of ${lines} lines (aim: below ${functionLines})`, "advice");
  };
  new Visitor({
    FunctionDeclaration: (node: FunctionNode) => measure(node),
    FunctionExpression: (node: FunctionNode) => measure(node),
    ArrowFunctionExpression: measure,
    CatchClause({ body }) {
      if (body.body.length === 0 && !/\/[/*]/.test(file.text.slice(body.start, body.end))) {
        report("catch", file.lineAt(body.start), "swallows an error: handle it or say in a comment why it may be lost");
      }
    },
    Identifier(node) {
      if (node.name === "Deno" && room.startsWith("src/") && room !== "src/platform") {
        report("platform", file.lineAt(node.start), "only src/platform may tell runtimes apart");
      }
    },
    MemberExpression(node) {
      const called = file.text.slice(node.start, node.end);
      if (!consoleAllowed && /^console\./.test(called)) {
        report("console", file.lineAt(node.start), `${called}: use the logger of src/lib`);
      }
      if (injectedTime && /^(Date\.now|Math\.random|performance\.now)$/.test(called)) {
        report("time", file.lineAt(node.start), `${called}: take the clock or random source as a parameter`);
      }
    },
    CallExpression(node) {
      const callee = file.text.slice(node.callee.start, node.callee.end);
      if (injectedTime && /^(setTimeout|setInterval|setImmediate)$/.test(callee)) {
        report("time", file.lineAt(node.start), `${callee}: use the clock's timers`);
      }
    },
    NewExpression(node) {
      const callee = file.text.slice(node.callee.start, node.callee.end);
      if (injectedTime && callee === "Date" && node.arguments.length === 0) {
        report("time", file.lineAt(node.start), "new Date(): use the clock");
      }
    },
  }).visit(file.program);
}

/** Spellings that only the machine of whoever wrote them knows. */
const machinePath = /(?<![\w.~-])\/(work|root|home\/[a-z]\w*|Users\/\w+)\/[\w.-]+/;

/** Rules about any text file of the tree, by name and content. */
export function checkText(path: string, text: string): Finding[] {
  const findings: Finding[] = [];
  const report = (rule: string, line: number, message: string) =>
    findings.push({ rule, path, line, message, strength: "error" });
  const name = basename(path).replace(/(\.test|\.bench)?\.[^.]+$/, "");
  const isCode = /\.(ts|mjs|js)$/.test(path);
  if (isCode && (bannedNames.test(name) || name.split("-").some((part) => /^(utils?|helpers?|misc)$/.test(part)))) {
    report("names", 1, `${basename(path)} does not tell what is inside`);
  }
  if (isCode && !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name.replaceAll(".", "-"))) {
    report("names", 1, `${basename(path)} is not kebab-case`);
  }
  for (const [index, line] of text.split("\n").entries()) {
    const found = machinePath.exec(line)?.[0];
    if (found) report("machine-path", index + 1, `${found} exists on one machine only`);
    if (path.endsWith("package-lock.json") && line.includes('"resolved":')) {
      report("lock-file", index + 1, "names a registry: install with .npmrc's omit-lockfile-registry-resolved");
    }
  }
  return findings;
}
