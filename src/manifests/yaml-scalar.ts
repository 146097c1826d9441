/**
 * Plain scalars as kubectl reads them: YAML 1.1 booleans (`no`, `off`, `y`), octal and binary numbers, `_` between
 * digits; dates stay text. Follows gopkg.in/yaml.v2 `resolve`, the parser behind `sigs.k8s.io/yaml`, checked against it.
 */
export type Scalar = string | number | boolean | null;

const NULLS: ReadonlySet<string> = new Set(["", "~", "null", "Null", "NULL"]);
const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ...["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"].map((text) => [text, true] as const),
  ...["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"].map((text) => [text, false] as const),
]);
const NUMERIC_START = /^[-+.0-9]/;
const PREFIXED = /^([-+]?)0(?:[bB]([01]+)|[xX]([0-9a-fA-F]+)|[oO]?([0-7]+))$/;
const DECIMAL = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;
const SPECIAL = /^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;

/** What a plain scalar stands for. Infinity and NaN come back as numbers: JSON has no word for them. */
export function resolveScalar(text: string): Scalar {
  if (NULLS.has(text)) return null;
  const boolean = BOOLEANS.get(text);
  if (boolean !== undefined) return boolean;
  return NUMERIC_START.test(text) ? resolveNumber(text) : text;
}

function resolveNumber(text: string): number | string {
  if (SPECIAL.test(text)) return text.endsWith("f") || text.endsWith("F") ? Number.POSITIVE_INFINITY : Number.NaN;
  const digits = text.replaceAll("_", "");
  const prefixed = PREFIXED.exec(digits);
  if (prefixed !== null) {
    const [, sign, binary, hexadecimal, octal] = prefixed;
    const size = binary
      ? Number.parseInt(binary, 2)
      : hexadecimal
        ? Number.parseInt(hexadecimal, 16)
        : Number.parseInt(octal ?? "0", 8);
    return sign === "-" && size !== 0 ? -size : size;
  }
  if (!DECIMAL.test(digits)) return text;
  const number = Number(digits);
  // Out of range for a double: Go keeps the text.
  return Number.isFinite(number) ? number : text;
}
