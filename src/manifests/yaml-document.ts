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
    const events = parseEvents(text, { maxDepth: DEPTH_MAX });
    const documents = buildDocuments(text, events, offsets).map(({ value, offset }) => ({
      value,
      line: lineAt(offset),
    }));
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

function buildDocuments(
  text: string,
  events: readonly Event[],
  offsets: WeakMap<object, number>,
): readonly { value: unknown; offset: number }[] {
  const documents: { value: unknown; offset: number }[] = [];
  const frames: Frame[] = [];
  let anchors = new Map<string, Sized>();
  let offset = 0;
  let rootOffset = 0;
  const budget = text.length * EXPANSION_MAX + EXPANSION_FREE;
  const spend = (frame: Frame, size: number) => {
    frame.size += size;
    if (frame.size > budget) throw new DocumentError(offset, "its aliases expand to too much; write the parts out");
  };
  const place = (node: Sized) => {
    const frame = frames.at(-1);
    if (frame === undefined) {
      documents.push({ value: node.value, offset: rootOffset });
      return;
    }
    spend(frame, node.size + 1);
    placeIn(frame, node.value, offset);
  };
  const remember = (anchor: string | undefined, node: Sized) => {
    if (anchor !== undefined) anchors.set(anchor, node);
    return node;
  };

  for (const event of events) {
    switch (event.type) {
      case EVENT_ID.DOCUMENT:
        anchors = new Map();
        frames.length = 0;
        break;
      case EVENT_ID.SEQUENCE:
      case EVENT_ID.MAPPING: {
        if (frames.length === 0) rootOffset = event.start;
        const target = event.type === EVENT_ID.SEQUENCE ? [] : {};
        offsets.set(target, event.start);
        frames.push({ target, anchor: anchorOf(text, event), size: 1, key: undefined, merges: [] });
        break;
      }
      case EVENT_ID.SCALAR: {
        offset = event.valueStart < 0 ? offset : event.valueStart;
        if (frames.length === 0) rootOffset = offset;
        const isMerge = isMergeKey(text, event, frames.at(-1));
        const value = isMerge ? MERGE : scalarValue(text, event, offset);
        place(remember(anchorOf(text, event), { value, size: typeof value === "string" ? value.length : 1 }));
        break;
      }
      case EVENT_ID.ALIAS: {
        offset = event.anchorStart;
        const name = text.slice(event.anchorStart, event.anchorEnd);
        const node = anchors.get(name);
        if (node === undefined) throw new DocumentError(offset, `the alias *${name} names no anchor before it`);
        place(node);
        break;
      }
      case EVENT_ID.POP: {
        const frame = frames.pop();
        // The end of the document itself has no frame.
        if (frame !== undefined) place(remember(frame.anchor, { value: finish(frame), size: frame.size }));
        break;
      }
    }
  }
  return documents;
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
