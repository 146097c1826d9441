import { type Document, isAlias, isMap, isScalar, isSeq, type LineCounter, type Node, type YAMLMap } from "yaml";
import { printable } from "../lib/mod.ts";
import type { ScenarioProblem } from "./scenario.ts";

/** More than these nobody mends at once. */
export const PROBLEMS_MAX = 20;
/** Characters of a value by which a person knows it again. */
const SHOWN_MAX = 100;
/** Timers of the runtime end at 24.8 days; what is longer than this is a slip of the pen. */
const DURATION_MAX_MS = 24 * 3_600_000;

/** Problems of one file, in the order in which they were found. */
export interface Problems {
  readonly found: ScenarioProblem[];
  readonly lines: LineCounter;
  /** Holds what aliases stand for. */
  readonly document: Document;
}

/** A place in the scenario that is read: a value that may be missing or of the wrong kind. */
export class ScenarioNode {
  readonly field: string;
  readonly #node: Node | null | undefined;
  readonly #problems: Problems;
  /** Where a missing value would stand. */
  readonly #parent: Node | null | undefined;

  constructor(node: Node | null | undefined, field: string, problems: Problems, parent?: Node | null) {
    this.#node = isAlias(node) ? node.resolve(problems.document) : node;
    this.field = field;
    this.#problems = problems;
    this.#parent = parent;
  }

  get isMissing(): boolean {
    return this.#node === undefined || this.#node === null || (isScalar(this.#node) && this.#node.value === null);
  }

  get isText(): boolean {
    return isScalar(this.#node) && typeof this.#node.value === "string";
  }

  problem(message: string): void {
    if (this.#problems.found.length >= PROBLEMS_MAX) return;
    const offset = (this.#node ?? this.#parent)?.range?.[0];
    // What was set on the command line has no place in the file.
    const line = offset === undefined ? undefined : this.#problems.lines.linePos(offset).line;
    const field = this.field === "" ? "the scenario" : this.field;
    // What is read twice is told once.
    const isKnown = this.#problems.found.some((each) => each.field === field && each.message === message);
    if (!isKnown) this.#problems.found.push({ line, field, message });
  }

  /** The value as a person wrote it. */
  get shown(): string {
    if (this.isMissing) return "nothing";
    if (isMap(this.#node)) return "a map";
    if (isSeq(this.#node)) return "a list";
    const text = String((this.#node as { value?: unknown }).value);
    return `"${printable(text.slice(0, SHOWN_MAX))}${text.length > SHOWN_MAX ? "…" : ""}"`;
  }

  /** The members of a map; those that are not `known` are problems. */
  members<K extends string>(known: readonly K[]): Record<K, ScenarioNode> {
    const map = isMap(this.#node) ? this.#node : undefined;
    if (map === undefined) this.problem(`a map with ${listed(known)} was expected, found ${this.shown}.`);
    else this.#requireKnown(map, known);
    const entries = known.map((name): [K, ScenarioNode] => {
      const child = map?.get(name, true) as Node | undefined;
      return [
        name,
        new ScenarioNode(child, this.field === "" ? name : `${this.field}.${name}`, this.#problems, this.#node),
      ];
    });
    return Object.fromEntries(entries) as Record<K, ScenarioNode>;
  }

  items(): readonly ScenarioNode[] {
    if (this.isMissing) return [];
    if (!isSeq(this.#node)) {
      this.problem(`a list was expected, found ${this.shown}. Start each entry with "- ".`);
      return [];
    }
    return this.#node.items.map(
      (item, place) => new ScenarioNode(item as Node, `${this.field}[${place}]`, this.#problems, this.#node),
    );
  }

  /** The member of a map that says what kind of thing it is, before its other members are known. */
  peek(name: string): ScenarioNode {
    const child = isMap(this.#node) ? (this.#node.get(name, true) as Node | undefined) : undefined;
    return new ScenarioNode(child, this.field === "" ? name : `${this.field}.${name}`, this.#problems, this.#node);
  }

  text(fallback: string): string {
    if (this.isMissing) return fallback;
    const value = isScalar(this.#node) ? this.#node.value : undefined;
    if (typeof value === "string") return value;
    this.problem(`a text was expected, found ${this.shown}.${isScalar(this.#node) ? " Write it in quotes." : ""}`);
    return fallback;
  }

  oneOf<T extends string>(values: readonly T[], fallback: T | undefined): T | undefined {
    if (this.isMissing) {
      if (fallback === undefined) this.problem(`is missing: write one of ${listed(values)}.`);
      return fallback;
    }
    const value = isScalar(this.#node) ? this.#node.value : undefined;
    const found = values.find((each) => each === value);
    if (found !== undefined) return found;
    this.problem(`one of ${listed(values)} was expected, found ${this.shown}.${hint(String(value), values)}`);
    return fallback;
  }

  flag(fallback: boolean): boolean {
    if (this.isMissing) return fallback;
    const value = isScalar(this.#node) ? this.#node.value : undefined;
    if (typeof value === "boolean") return value;
    this.problem(`true or false was expected, found ${this.shown}.`);
    return fallback;
  }

  /** A number within bounds; without a fallback it has to be there. */
  number(bounds: { readonly min: number; readonly max: number; readonly isWhole?: true }, fallback?: number): number {
    if (this.isMissing) {
      if (fallback === undefined) this.problem(`is missing: ${boundsText(bounds)} is needed.`);
      return fallback ?? bounds.min;
    }
    const value = isScalar(this.#node) ? this.#node.value : undefined;
    const isGood = typeof value === "number" && value >= bounds.min && value <= bounds.max;
    if (isGood && (bounds.isWhole !== true || Number.isInteger(value))) return value;
    const isQuoted = typeof value === "string" && value.trim() !== "" && Number.isFinite(Number(value));
    this.problem(
      `${boundsText(bounds)} was expected, found ${this.shown}.${isQuoted ? " Write it without quotes." : ""}`,
    );
    return fallback ?? bounds.min;
  }

  /** `250ms`, `10s`, `2m`, `1h`, up to {@link DURATION_MAX_MS}; in ms. */
  duration(fallback?: number): number {
    if (this.isMissing) {
      if (fallback === undefined) this.problem("is missing: a duration such as 10s is needed.");
      return fallback ?? 0;
    }
    const value = isScalar(this.#node) ? this.#node.value : undefined;
    if (value === 0) return 0;
    const match = typeof value === "string" ? /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(value) : null;
    const unit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[match?.[2] ?? ""];
    if (match !== null && unit !== undefined) {
      const ms = Number(match[1]) * unit;
      if (ms <= DURATION_MAX_MS) return ms;
      this.problem(`${DURATION_MAX_MS / 3_600_000}h at most was expected, found ${this.shown}.`);
      return fallback ?? 0;
    }
    this.problem(`a duration was expected, found ${this.shown}. Write a number with ms, s, m or h, for example 10s.`);
    return fallback ?? 0;
  }

  #requireKnown(map: YAMLMap, known: readonly string[]): void {
    for (const { key } of map.items) {
      const name = String((key as { value?: unknown } | null)?.value ?? key);
      if (known.includes(name)) continue;
      const place = new ScenarioNode(key as Node, this.field === "" ? name : `${this.field}.${name}`, this.#problems);
      place.problem(`is no field here; there are ${listed(known)}.${hint(name, known)}`);
    }
  }
}

function boundsText({ min, max, isWhole }: { readonly min: number; readonly max: number; readonly isWhole?: true }) {
  const kind = isWhole === true ? "a whole number" : "a number";
  return max === Number.POSITIVE_INFINITY ? `${kind} of at least ${min}` : `${kind} from ${min} to ${max}`;
}

function listed(values: readonly string[]): string {
  return values.join(", ");
}

/** The nearest word that is meant, if one is near. */
export function hint(value: string, words: readonly string[]): string {
  const near = words
    .map((word) => ({ word, distance: distanceOf(value.toLowerCase(), word.toLowerCase()) }))
    .sort((left, right) => left.distance - right.distance)[0];
  if (near === undefined || near.distance > Math.max(1, Math.floor(near.word.length / 3))) return "";
  return ` Did you mean "${near.word}"?`;
}

/** Edits between two words (Levenshtein). */
function distanceOf(left: string, right: string): number {
  if (Math.abs(left.length - right.length) > 8) return Number.POSITIVE_INFINITY;
  let row = Array.from({ length: right.length + 1 }, (_, n) => n);
  for (let i = 1; i <= left.length; i++) {
    const next = [i];
    for (let j = 1; j <= right.length; j++) {
      const cost = left[i - 1] === right[j - 1] ? 0 : 1;
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + cost));
    }
    row = next;
  }
  return row[right.length] ?? 0;
}
