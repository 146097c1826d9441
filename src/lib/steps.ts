/**
 * Long pure work in small steps, so that whoever drives it can let others go first in between. Driven to its end in one
 * go or in many, it gives the same.
 */
export type Steps<T> = Generator<void, T, void>;

/** Does all of it now. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}
