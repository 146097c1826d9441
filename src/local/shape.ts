/** What a field of a manifest may hold. `fields` lists those that are read; others are left as they are. */
export type Shape =
  | "string"
  | "boolean"
  | "integer"
  | "id"
  | "seconds"
  | "port"
  | "port-or-name"
  | "number-or-string"
  | "dns-label"
  | "dns-name"
  | "variable-name"
  | "any"
  | { readonly list: Shape }
  | { readonly map: Shape }
  | { readonly fields: Readonly<Record<string, Shape>>; readonly required?: readonly string[] };

/** A field that does not have its shape. */
export interface ShapeProblem {
  /** Such as `spec.containers[0].env[1].value`. */
  readonly field: string;
  readonly message: string;
}

/**
 * Holds `value` against `shape`, as an API server holds an object against its schema: an explicit null counts as
 * absent, an empty name too, unknown fields pass. Returns the value without what is absent; problems are added to
 * `problems`.
 */
export function readShape(value: unknown, shape: Shape, field: string, problems: ShapeProblem[]): unknown {
  const wrong = (expected: string) => {
    problems.push({ field, message: `found ${describe(value)}, expected ${expected}` });
    return value;
  };
  if (shape === "any") return value;
  if (typeof shape === "string") return isScalar(value, shape) ? value : wrong(scalarNames[shape]);
  if ("list" in shape) {
    if (!Array.isArray(value)) return wrong("a list");
    return value.map((item, index) => readShape(item, shape.list, `${field}[${index}]`, problems));
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) return wrong("a mapping");
  if ("map" in shape) {
    const entries = Object.entries(value).filter(([, member]) => member !== null);
    return Object.fromEntries(
      entries.map(([key, member]) => [key, readShape(member, shape.map, `${field}["${key}"]`, problems)]),
    );
  }
  const read: Record<string, unknown> = { ...value };
  for (const [name, member] of Object.entries(shape.fields)) {
    if (isAbsent(read[name], member)) {
      delete read[name];
      if (shape.required?.includes(name)) problems.push({ field: `${field}.${name}`, message: "is missing" });
    } else read[name] = readShape(read[name], member, `${field}.${name}`, problems);
  }
  return read;
}

const scalarNames = {
  string: "a string without NUL (numbers and booleans need quotes)",
  boolean: "true or false",
  integer: "a whole number",
  id: "a whole number from 0 to 2147483647",
  seconds: "a whole number from 0 to 2147483",
  port: "a port from 1 to 65535",
  "port-or-name": "a port from 1 to 65535, or the name of one",
  "number-or-string": "a number or a string",
  "dns-label": "at most 63 lower-case letters, digits and -",
  "dns-name": "lower-case letters, digits, - and .",
  "variable-name": "a name without = and NUL",
} as const;

const ID_MAX = 2 ** 31 - 1;
/** What a timer of the runtime can wait, in whole seconds. */
const SECONDS_MAX = Math.trunc(ID_MAX / 1000);
const PORT_MAX = 65_535;
const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const DNS_NAME = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

function isScalar(value: unknown, shape: keyof typeof scalarNames): boolean {
  switch (shape) {
    case "string":
      return isText(value);
    case "boolean":
      return typeof value === "boolean";
    case "integer":
      return Number.isInteger(value);
    case "id":
      return isBetween(value, 0, ID_MAX);
    case "seconds":
      return isBetween(value, 0, SECONDS_MAX);
    case "port":
      return isBetween(value, 1, PORT_MAX);
    case "port-or-name":
      return isBetween(value, 1, PORT_MAX) || isText(value);
    case "number-or-string":
      return typeof value === "number" || isText(value);
    case "dns-label":
      return isText(value) && DNS_LABEL.test(value);
    case "dns-name":
      return isText(value) && DNS_NAME.test(value);
    case "variable-name":
      return isText(value) && value !== "" && !value.includes("=");
  }
}

function isAbsent(value: unknown, shape: Shape): boolean {
  if (value === "") return shape === "dns-label" || shape === "dns-name";
  return value === null || value === undefined;
}

/** The operating system takes no NUL in arguments, variables and paths. */
function isText(value: unknown): value is string {
  return typeof value === "string" && !value.includes("\0");
}

function isBetween(value: unknown, min: number, max: number): boolean {
  return Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
}

function describe(value: unknown): string {
  if (value === null) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a mapping";
  return typeof value === "string" ? `"${value.slice(0, 60)}"` : String(value);
}
