import type { ObjectRef } from "./object-ref.ts";

/**
 * A user's object, or a part of one, that has no effect. A value, never an exception: the rest of the world goes on.
 * The list of rejections is the current state: an entry vanishes with its cause.
 */
export interface Rejection extends ObjectRef {
  /** `object`: the whole object has no effect. `part`: the named part has none and the rest stands. */
  readonly strength: "object" | "part";
  /** Path of the offending field, e.g. `spec.rules[0].matches[1]`; empty when the whole document is meant. */
  readonly field: string;
  /** Stable, kebab-case reason code, e.g. `regex-invalid`. */
  readonly reason: string;
  /** What was found and what to do about it, in one or two sentences. */
  readonly message: string;
}
