import {
  EVENT_ID,
  type Event,
  getScalarValue,
  parseEvents,
  SCALAR_STYLE,
  type ScalarEvent,
  YAMLException,
} from "js-yaml";
import { resolveScalar, type Scalar } from "./yaml-scalar.ts";

/** A text that cannot be read as YAML. */
export interface SyntaxProblem {
  /** 1-based. */
  readonly line: number;
  readonly message: string;
}

/** One document of a file. */
export interface YamlDocument {
  readonly value: unknown;
  /** 1-based line of the first node, not of the `---`. */
  readonly line: number;
}

export interface YamlText {
  readonly documents: readonly YamlDocument[];
  /** 1-based line on which a mapping or list of these documents starts. */
  lineOf(collection: object): number | undefined;
}

/** Deeper objects do not exist in Kubernetes, and would exhaust the stack of whoever walks them. */
export const DEPTH_MAX = 100;
/** What aliases may make of a text, as a multiple of its length. */
const EXPANSION_MAX = 4;
const EXPANSION_FREE = 100_000;

/** A node with the size of the text that it would take without aliases. */
interface Sized {
  readonly value: unknown;
  readonly size: number;
}

/** A mapping or list that is not complete yet. */
interface Frame {
  readonly target: Record<string, unknown> | unknown[];
  readonly anchor: string | undefined;
  size: number;
  /** The key that waits for its value; mappings only. */
  key: string | typeof MERGE | undefined;
  /** What `<<` names, in order. */
  readonly merges: object[];
}

/** Stands for the key `<<`. */
const MERGE = Symbol("merge key");

class DocumentError extends Error {
  override readonly name = "DocumentError";
  readonly offset: number;

  constructor(offset: number, message: string) {
    super(message);
    this.offset = offset;
  }
}

/**
 * Reads all documents of a YAML text as kubectl reads them: duplicate keys are errors, keys become strings, `<<` merges.
 * Bounded: nesting, and what aliases expand to. Never throws for any text.
 */
export function readYaml(text: string): YamlText | SyntaxProblem {
  const lineAt = lineFinder(text);
  const offsets = new WeakMap<object, number>();
  try {
    const builder = new DocumentBuilder(text, offsets);
    for (const event of parseEvents(text, { maxDepth: DEPTH_MAX })) builder.add(event);
    const documents = builder.documents.map(({ value, offset }) => ({ value, line: lineAt(offset) }));
    const lineOf = (collection: object) => {
      const offset = offsets.get(collection);
      return offset === undefined ? undefined : lineAt(offset);
    };
    return { documents, lineOf };
  } catch (error) {
    if (error instanceof DocumentError) return { line: lineAt(error.offset), message: error.message };
    if (error instanceof YAMLException) return { line: (error.mark?.line ?? 0) + 1, message: error.reason };
    throw error;
  }
}

interface BuiltDocument {
  readonly value: unknown;
  readonly offset: number;
}

/** Makes documents of a parser's events. */
class DocumentBuilder {
  readonly documents: BuiltDocument[] = [];
  readonly #text: string;
  readonly #offsets: WeakMap<object, number>;
  readonly #frames: Frame[] = [];
  #anchors = new Map<string, Sized>();
  /** Of the node that was read last, and of the document's first. */
  #offset = 0;
  #rootOffset = 0;

  /** Notes in `offsets` where each mapping and list starts. */
  constructor(text: string, offsets: WeakMap<object, number>) {
    this.#text = text;
    this.#offsets = offsets;
  }

  add(event: Event): void {
    switch (event.type) {
      case EVENT_ID.DOCUMENT:
        this.#anchors = new Map();
        this.#frames.length = 0;
        break;
      case EVENT_ID.SEQUENCE:
        this.#open([], event);
        break;
      case EVENT_ID.MAPPING:
        this.#open({}, event);
        break;
      case EVENT_ID.SCALAR:
        this.#scalar(event);
        break;
      case EVENT_ID.ALIAS:
        this.#alias(event);
        break;
      case EVENT_ID.POP: {
        const frame = this.#frames.pop();
        // The end of the document itself has no frame.
        if (frame !== undefined) this.#place({ value: finish(frame), size: frame.size }, frame.anchor);
        break;
      }
    }
  }

  #open(target: Frame["target"], event: { start: number; anchorStart: number; anchorEnd: number }): void {
    if (this.#frames.length === 0) this.#rootOffset = event.start;
    this.#offsets.set(target, event.start);
    this.#frames.push({ target, anchor: anchorOf(this.#text, event), size: 1, key: undefined, merges: [] });
  }

  #scalar(event: ScalarEvent): void {
    if (event.valueStart >= 0) this.#offset = event.valueStart;
    if (this.#frames.length === 0) this.#rootOffset = this.#offset;
    const isMerge = isMergeKey(this.#text, event, this.#frames.at(-1));
    const value = isMerge ? MERGE : scalarValue(this.#text, event, this.#offset);
    this.#place({ value, size: typeof value === "string" ? value.length : 1 }, anchorOf(this.#text, event));
  }

  #alias(event: { anchorStart: number; anchorEnd: number }): void {
    this.#offset = event.anchorStart;
    const name = this.#text.slice(event.anchorStart, event.anchorEnd);
    const node = this.#anchors.get(name);
    if (node === undefined) throw new DocumentError(this.#offset, `the alias *${name} names no anchor before it`);
    this.#place(node, undefined);
  }

  #place(node: Sized, anchor: string | undefined): void {
    if (anchor !== undefined) this.#anchors.set(anchor, node);
    const frame = this.#frames.at(-1);
    if (frame === undefined) {
      this.documents.push({ value: node.value, offset: this.#rootOffset });
      return;
    }
    frame.size += node.size + 1;
    if (frame.size > this.#text.length * EXPANSION_MAX + EXPANSION_FREE) {
      throw new DocumentError(this.#offset, "its aliases expand to too much; write the parts out");
    }
    placeIn(frame, node.value, this.#offset);
  }
}

function isMergeKey(text: string, event: ScalarEvent, frame: Frame | undefined): boolean {
  if (event.style !== SCALAR_STYLE.PLAIN || frame === undefined || Array.isArray(frame.target)) return false;
  return frame.key === undefined && text.slice(event.valueStart, event.valueEnd) === "<<";
}

function anchorOf(text: string, event: { anchorStart: number; anchorEnd: number }): string | undefined {
  return event.anchorStart < 0 ? undefined : text.slice(event.anchorStart, event.anchorEnd);
}

function placeIn(frame: Frame, value: unknown, offset: number): void {
  const { target, key } = frame;
  if (Array.isArray(target)) {
    target.push(value);
  } else if (key === undefined) {
    const next = value === MERGE ? MERGE : keyText(value, offset);
    if (next !== MERGE && Object.hasOwn(target, next)) {
      throw new DocumentError(offset, `the key ${JSON.stringify(next)} is there twice`);
    }
    frame.key = next;
  } else {
    frame.key = undefined;
    if (key === MERGE) frame.merges.push(...mergedMaps(value, offset));
    else setOwn(target, key, value);
  }
}

function keyText(value: unknown, offset: number): string {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  throw new DocumentError(offset, "a key is neither text nor number");
}

function mergedMaps(value: unknown, offset: number): readonly object[] {
  const maps: readonly unknown[] = Array.isArray(value) ? value : [value];
  const isMap = (map: unknown): map is object => map !== null && typeof map === "object" && !Array.isArray(map);
  if (maps.every(isMap)) return maps;
  throw new DocumentError(offset, "<< takes a mapping or a list of mappings");
}

/** Own keys win over merged ones, and earlier merged ones over later. */
function finish({ target, merges }: Frame): unknown {
  for (const source of merges) {
    for (const [key, value] of Object.entries(source)) {
      if (!Object.hasOwn(target, key)) setOwn(target as Record<string, unknown>, key, value);
    }
  }
  return target;
}

/** Sets a member whatever its name; plain assignment to `__proto__` would not make one. */
function setOwn(target: Record<string, unknown>, key: string, value: unknown): void {
  if (key === "__proto__") {
    Object.defineProperty(target, key, { value, enumerable: true, writable: true, configurable: true });
  } else {
    target[key] = value;
  }
}

/** Tags whose scalars are read like untagged ones; any other tag makes text. */
const RESOLVED_TAGS: ReadonlySet<string> = new Set(["!!int", "!!float", "!!bool", "!!null"]);

function scalarValue(text: string, event: ScalarEvent, offset: number): Scalar {
  const source = getScalarValue(text, event);
  const tag = event.tagStart < 0 ? undefined : text.slice(event.tagStart, event.tagEnd);
  if (tag === undefined ? event.style !== SCALAR_STYLE.PLAIN : !RESOLVED_TAGS.has(tag)) return source;
  const value = resolveScalar(source);
  if (typeof value === "number" && !Number.isFinite(value)) {
    throw new DocumentError(offset, `${source} is no number that JSON has`);
  }
  return value;
}

/** 1-based line of an offset. */
function lineFinder(text: string): (offset: number) => number {
  let starts: number[] | undefined;
  return (offset) => {
    if (starts === undefined) {
      starts = [0];
      for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", end + 1)) starts.push(end + 1);
    }
    let low = 0;
    let high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  };
}
