/**
 * Reads untyped object fields. A {@link Field} is a value with its path; every reader answers with a usable value and
 * notes what is wrong, so that one pass over an object finds all of its problems. `null` counts as absent, as the API
 * server prunes it (Kubernetes documentation, "Defaulting and Nullable").
 */

/** Something wrong at one place of an object. `part` problems leave the rest of the object standing. */
export interface Problem {
  readonly strength: "object" | "part";
  readonly field: string;
  readonly reason: string;
  readonly message: string;
}

export interface Field {
  /** Undefined when absent or null. */
  readonly value: unknown;
  /** e.g. `spec.rules[0].kind`; empty for the object itself. */
  readonly path: string;
  /** Shared by all fields of one object. */
  readonly problems: Problem[];
}

/** Problems noted per object: a hostile object costs a bounded report. */
const PROBLEMS_MAX = 20;
/** Characters of a found value that a message repeats. */
const SHOWN_MAX = 60;

/** The object as a whole. */
export function rootField(value: unknown): Field {
  return { value, path: "", problems: [] };
}

/** A field of a field. Its path is put together when a problem asks for it: objects are many, problems few. */
class ChildField implements Field {
  readonly value: unknown;
  readonly problems: Problem[];
  readonly #parent: Field;
  readonly #key: string | number;

  constructor(value: unknown, parent: Field, key: string | number) {
    this.value = value ?? undefined;
    this.problems = parent.problems;
    this.#parent = parent;
    this.#key = key;
  }

  get path(): string {
    const { path } = this.#parent;
    if (typeof this.#key === "number") return `${path}[${this.#key}]`;
    return path === "" ? this.#key : `${path}.${this.#key}`;
  }
}

/** Notes that the object has no effect because of this field. */
export function reject(field: Field, reason: string, message: string): void {
  note(field, { strength: "object", field: field.path, reason, message });
}

/** Notes that this field has no effect; the rest of the object stands. */
export function rejectPart(field: Field, reason: string, message: string): void {
  note(field, { strength: "part", field: field.path, reason, message });
}

function note(field: Field, problem: Problem): void {
  if (field.problems.length < PROBLEMS_MAX) field.problems.push(problem);
}

/** A found value as a message shows it: JSON, cut short. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
}

function typeName(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "an object";
  return `the ${typeof value} ${shown(value)}`;
}

/** A member of an object; absent when the field is no object. Own members only. */
export function member(field: Field, name: string): Field {
  const { value } = field;
  const isObject = value !== null && typeof value === "object" && !Array.isArray(value);
  const found = isObject && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
  return new ChildField(found, field, name);
}

/** Follows several members. */
export function memberAt(field: Field, ...names: readonly string[]): Field {
  return names.reduce(member, field);
}

/** True when the field holds a value of the wanted type; notes a wrong type, and absence when `isRequired`. */
function holds(field: Field, isType: boolean, wanted: string, isRequired: boolean): boolean {
  if (isType) return true;
  if (field.value === undefined) {
    if (isRequired) reject(field, "field-required", `${field.path} is missing: give it ${wanted}.`);
  } else {
    reject(field, "field-type", `${field.path} is ${typeName(field.value)}, not ${wanted}: change it to ${wanted}.`);
  }
  return false;
}

/** Checks that the field is an object, or absent unless required. */
export function checkObject(field: Field, isRequired = false): boolean {
  const isObject = typeof field.value === "object" && field.value !== null && !Array.isArray(field.value);
  return holds(field, isObject, "an object", isRequired);
}

/** A string, or undefined when absent or wrong. */
export function readString(field: Field): string | undefined {
  return holds(field, typeof field.value === "string", "a string", false) ? (field.value as string) : undefined;
}

/** A string that must be there; empty when it is not. */
export function requireString(field: Field): string {
  return holds(field, typeof field.value === "string", "a string", true) ? (field.value as string) : "";
}

/** One of a closed set of strings, or undefined when absent or wrong. */
export function readOneOf<T extends string>(field: Field, allowed: readonly T[]): T | undefined {
  const text = readString(field);
  if (text === undefined) return undefined;
  const found = allowed.find((value) => value === text);
  if (found === undefined) {
    reject(field, "field-enum", `${field.path} is ${shown(text)}: use one of ${allowed.join(", ")}.`);
  }
  return found;
}

export function readBoolean(field: Field): boolean | undefined {
  const isBoolean = typeof field.value === "boolean";
  return holds(field, isBoolean, "true or false", false) ? (field.value as boolean) : undefined;
}

/** A number, or undefined when absent or wrong. */
export function readNumber(field: Field, isRequired = false): number | undefined {
  const isNumber = typeof field.value === "number" && Number.isFinite(field.value);
  return holds(field, isNumber, "a number", isRequired) ? (field.value as number) : undefined;
}

/** A whole number that fits a double exactly, or undefined when absent or wrong. */
export function readInteger(field: Field, isRequired = false): number | undefined {
  return holds(field, Number.isSafeInteger(field.value), "a whole number", isRequired)
    ? (field.value as number)
    : undefined;
}

/** A port in 1-65535, or undefined when absent or wrong. */
export function readPort(field: Field, isRequired = false): number | undefined {
  const port = readInteger(field, isRequired);
  if (port === undefined || (port >= 1 && port <= 65535)) return port;
  reject(field, "port-out-of-range", `${field.path} is ${port}: a port lies in 1-65535.`);
  return undefined;
}

/** The items of a list; none when absent or wrong. */
export function readList(field: Field, isRequired = false): readonly Field[] {
  if (!holds(field, Array.isArray(field.value), "a list", isRequired)) return [];
  return (field.value as readonly unknown[]).map((value, position) => new ChildField(value, field, position));
}

/** A list of strings; wrong items are noted and left out. */
export function readStrings(field: Field): readonly string[] {
  return readList(field)
    .map(requireString)
    .filter((text) => text !== "");
}

/** A map from strings to strings; wrong values are noted and left out. */
export function readStringMap(field: Field): Readonly<Record<string, string>> {
  if (!checkObject(field)) return {};
  const entries: [string, string][] = [];
  for (const name of Object.keys(field.value as object)) {
    const value = readString(member(field, name));
    if (value !== undefined) entries.push([name, value]);
  }
  return Object.fromEntries(entries);
}
