import { RE2JS } from "re2js";
import { type Field, reject, shown } from "./field.ts";

/** Longer patterns are refused unread: compiling costs time and memory that grow with the length. */
const PATTERN_MAX_CHARS = 4096;
/**
 * Steps of a compiled program. Envoy's own limit (runtime key `re2.max_program_size.error_level`) is lifted by the
 * bootstrap, since its documentation asks control planes to check; this one bounds what a route table can cost.
 */
const PROGRAM_SIZE_MAX = 1000;

/** General categories, and the scripts of which a byte can be: what every RE2 knows. Ours knows more, and newer ones. */
const UNICODE_CLASSES: ReadonlySet<string> = new Set(
  "Any Latin Common C Cc Cf Co Cs L Ll Lm Lo Lt Lu M Mc Me Mn N Nd Nl No P Pc Pd Pe Pf Pi Po Ps S Sc Sk Sm So Z Zl Zp Zs".split(
    " ",
  ),
);
/** Envoy compares bytes (RE2's Latin-1 mode). */
const CODE_POINT_MAX = 0xff;
/** Every escape in turn, so that an escaped backslash does not begin one; the name of a class, or a code point in hex. */
const ESCAPES = /\\(?:[pP](?:\{\^?([^}]*)\}|(.))|x\{([^}]*)\}|[\s\S])/gu;

/** Notes a pattern that Envoy's RE2 would refuse. */
export function checkRegex(field: Field, pattern: string): void {
  const finding = regexProblem(pattern);
  if (finding !== undefined) reject(field, "regex-invalid", `${field.path} is ${shown(pattern)}: ${finding}`);
}

function regexProblem(pattern: string): string | undefined {
  if (pattern === "") return "an empty pattern cannot be matched; leave the field out or write a pattern.";
  if (pattern.length > PATTERN_MAX_CHARS) return `it is longer than ${PATTERN_MAX_CHARS} characters; split it.`;
  if (!pattern.isWellFormed()) return "it holds half of a surrogate pair, which is no character.";
  let size: number;
  try {
    size = RE2JS.compile(pattern).programSize();
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    return `RE2 cannot compile it (${cause}); see the RE2 syntax, which has no look-around and no back references.`;
  }
  if (size <= PROGRAM_SIZE_MAX) return escapeProblem(pattern);
  return `its RE2 program has ${size} steps, more than ${PROGRAM_SIZE_MAX}; use shorter repetitions or split it.`;
}

/** What RE2 has in Envoy and RE2 here has not, or the reverse. */
function escapeProblem(pattern: string): string | undefined {
  for (const [text, named, letter, codePoint] of pattern.matchAll(ESCAPES)) {
    const unicodeClass = named ?? letter;
    if (unicodeClass !== undefined && !UNICODE_CLASSES.has(unicodeClass)) {
      return `Envoy does not know ${text}, or no byte is of it: it compares bytes; write the characters, or a general category such as \\pL.`;
    }
    if (codePoint !== undefined && Number.parseInt(codePoint, 16) > CODE_POINT_MAX) {
      return `Envoy compares bytes and refuses ${text}; write the character itself.`;
    }
  }
  return undefined;
}
