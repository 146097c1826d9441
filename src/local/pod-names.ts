import { contentHash } from "../lib/mod.ts";

/** Kubernetes' alphabet for generated names: no vowels, no look-alikes. */
const alphabet = "bcdfghjklmnpqrstvwxz2456789";
/** Kubernetes cuts the part before a generated suffix here, so that the name stays a host name. */
const BASE_MAX = 58;
const SUFFIX_LENGTH = 5;

/** A short name for content: equal content, equal name. */
export function shortHash(content: string, length: number): string {
  let rest = BigInt(`0x${contentHash(content)}`);
  let text = "";
  while (text.length < length) {
    text += alphabet[Number(rest % BigInt(alphabet.length))];
    rest /= BigInt(alphabet.length);
  }
  return text;
}

/**
 * `count` names `BASE-xxxxx` that are not in `taken`. The same seed gives the same names in the same order, so that a
 * workload's pods keep their names over a restart of the runner.
 */
export function generatedNames(base: string, seed: string, count: number, taken: ReadonlySet<string>): string[] {
  const names = new Set<string>();
  const stem = `${base}-`.slice(0, BASE_MAX);
  for (let index = 0; names.size < count; index++) {
    const name = `${stem}${shortHash(`${seed}/${index}`, SUFFIX_LENGTH)}`;
    if (!taken.has(name)) names.add(name);
  }
  return [...names];
}
