import { printable } from "../lib/mod.ts";

const DIFFERENCES_MAX = 20;
const NAMES_SHOWN = 5;
const SENTENCE_CHARACTERS_MAX = 2000;

/** Collects what differs, up to what a person reads. */
export class Differences {
  readonly found: string[] = [];
  count = 0;

  /** Sentences may hold names that a server chose, and end on somebody's terminal. */
  add(sentence: string): void {
    this.count += 1;
    if (this.found.length < DIFFERENCES_MAX) this.found.push(printable(sentence.slice(0, SENTENCE_CHARACTERS_MAX)));
  }

  /** Puts in what another one has found, after its own. */
  append(other: Differences): void {
    for (const sentence of other.found) this.add(sentence);
    this.count += other.count - other.found.length;
  }

  sentences(): readonly string[] {
    const more = this.count - this.found.length;
    return more === 0 ? this.found : [...this.found, `and ${more} more`];
  }
}

/** Names for a person, as many as one reads. */
export function some(names: readonly string[]): string {
  if (names.length === 0) return "none";
  const more = names.length - NAMES_SHOWN;
  return names.slice(0, NAMES_SHOWN).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
