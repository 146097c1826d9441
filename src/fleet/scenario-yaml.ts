import { type Document, isCollection, isMap, isSeq, LineCounter, parseDocument, visit } from "yaml";
import { ScenarioError, type ScenarioProblem } from "./scenario.ts";
import { PROBLEMS_MAX, type Problems, ScenarioNode } from "./scenario-node.ts";

const ALIASES_MAX = 100;

/** A value for a field of the scenario, in place of the file's: `phases.0.rate=20`. */
export interface Setting {
  readonly path: string;
  readonly value: string;
}

/**
 * Parses a scenario's text, puts the settings in it, and makes sure that it is a map whose aliases can be followed. Throws
 * {@link ScenarioError} with what is wrong; what its `fields` hold is not looked at.
 */
export function parseScenario(
  text: string,
  options: { readonly file: string; readonly settings: readonly Setting[]; readonly fields: readonly string[] },
): { readonly document: Document; readonly problems: Problems } {
  const { file, settings, fields } = options;
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  requireYaml(document, file);
  const problems: Problems = { found: [], lines, document };
  if (!isMap(document.contents)) {
    // Of what has no fields at all, nothing more is worth a word.
    new ScenarioNode(document.contents as never, "", problems).members(fields);
    throw new ScenarioError(
      file,
      problems.found.map((each) => ({ ...each, line: each.line ?? 1 })),
    );
  }
  for (const setting of settings) apply(document, setting, problems);
  if (problems.found.length > 0) throw new ScenarioError(file, problems.found);
  try {
    // Aliases are expanded here, within a bound, and read through afterwards.
    document.toJS({ maxAliasCount: ALIASES_MAX });
  } catch (error) {
    const line = lineOfAlias(document, lines);
    throw new ScenarioError(file, [{ line, field: "the file", message: `${(error as Error).message}.` }]);
  }
  return { document, problems };
}

/** What a parser only warns of, as tags that nobody knows, is a slip too. */
function requireYaml({ errors, warnings }: Document, file: string): void {
  const problems = new Map<string, ScenarioProblem>();
  for (const { linePos, message: text } of [...errors, ...warnings].slice(0, PROBLEMS_MAX)) {
    // Without the place, and without advice to who calls the parser.
    const reason = (text.split(/ at line|; please use/)[0] ?? text).trim();
    const message = reason.startsWith("Maximum call stack") ? "is nested too deeply." : `is no YAML: ${reason}.`;
    const line = linePos?.[0].line;
    problems.set(`${line} ${message}`, { line, field: "the file", message });
  }
  if (problems.size > 0) throw new ScenarioError(file, [...problems.values()]);
}

/** The line of the first alias that stands for nothing; where there is none, of the first. */
function lineOfAlias(document: Document, lines: LineCounter): number | undefined {
  let first: number | undefined;
  let unresolved: number | undefined;
  visit(document, {
    Alias(_, alias) {
      const offset = alias.range?.[0];
      first ??= offset;
      if (alias.resolve(document) !== undefined) return undefined;
      unresolved = offset;
      return visit.BREAK;
    },
  });
  const offset = unresolved ?? first;
  return offset === undefined ? undefined : lines.linePos(offset).line;
}

function apply(document: Document, setting: Setting, problems: Problems): void {
  const shape: unknown = document.get("shape");
  // A named shape with something changed.
  if (setting.path.startsWith("shape.") && typeof shape === "string")
    document.set("shape", document.createNode({ base: shape }));
  const path = setting.path.split(".").map((part) => (/^\d+$/.test(part) ? Number(part) : part));
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  const missing = path.find(
    (part, place) => typeof part === "number" && document.getIn(path.slice(0, place + 1)) === undefined,
  );
  const wordInList = path.findIndex(
    (part, place) =>
      typeof part === "string" && isSeq(place === 0 ? undefined : document.getIn(path.slice(0, place), true)),
  );
  const problem = (message: string) =>
    problems.found.push({ line: undefined, field: `--set ${setting.path}`, message });
  if (parent !== undefined && !isCollection(parent)) {
    problem(`cannot be set: "${path.slice(0, -1).join(".")}" holds no fields.`);
  } else if (wordInList !== -1) {
    problem(
      `"${path.slice(0, wordInList).join(".")}" is a list: write the number of an entry, from 0, for "${path[wordInList]}".`,
    );
  } else if (missing !== undefined) {
    problem(`there is no entry ${missing}.`);
  } else {
    document.setIn(path, document.createNode(settingValue(setting.value)));
  }
}

/** What is no YAML by itself is a text. */
function settingValue(text: string): unknown {
  const value = parseDocument(text);
  if (value.errors.length > 0) return text;
  try {
    return value.toJS({ maxAliasCount: ALIASES_MAX }) as unknown;
  } catch {
    return text;
  }
}
