import type { Fleet, ProxySpec, Target } from "./fleet-api.ts";

/** What the fleet's process says to those that hold the proxies, and back. Crosses as structured clones. */
export interface Call {
  readonly id: number;
  readonly method: "start" | keyof Fleet;
  readonly args: readonly unknown[];
}

export interface StartArguments {
  readonly target: Target;
  readonly proxies: readonly ProxySpec[];
}

export type Answer =
  | { readonly id: number; readonly result: unknown }
  /** A `RangeError` is the caller's, anything else ours. */
  | { readonly id: number; readonly error: string; readonly isRange: boolean };
