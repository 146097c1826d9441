import { RE2JS } from "re2js";
import { type Field, reject, shown } from "./field.ts";

/** Longer patterns are refused unread: compiling costs time and memory that grow with the length. */
const PATTERN_MAX_CHARS = 4096;
/**
 * Steps of a compiled program. Envoy's own limit (runtime key `re2.max_program_size.error_level`) is lifted by the
 * bootstrap, since its documentation asks control planes to check; this one bounds what a route table can cost.
 */
const PROGRAM_SIZE_MAX = 1000;

/** Notes a pattern that Envoy's RE2 would refuse. */
export function checkRegex(field: Field, pattern: string): void {
  const finding = regexProblem(pattern);
  if (finding !== undefined) reject(field, "regex-invalid", `${field.path} is ${shown(pattern)}: ${finding}`);
}

function regexProblem(pattern: string): string | undefined {
  if (pattern === "") return "an empty pattern cannot be matched; leave the field out or write a pattern.";
  if (pattern.length > PATTERN_MAX_CHARS) return `it is longer than ${PATTERN_MAX_CHARS} characters; split it.`;
  let size: number;
  try {
    size = RE2JS.compile(pattern).programSize();
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    return `RE2 cannot compile it (${cause}); see the RE2 syntax, which has no look-around and no back references.`;
  }
  if (size <= PROGRAM_SIZE_MAX) return undefined;
  return `its RE2 program has ${size} steps, more than ${PROGRAM_SIZE_MAX}; use shorter repetitions or split it.`;
}
