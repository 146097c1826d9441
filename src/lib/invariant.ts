/** Thrown when the program itself is wrong; never caused by input. */
export class InvariantError extends Error {
  override readonly name = "InvariantError";
}

/** States what must hold here. On a worker the job fails and the worker is replaced; on the main thread the process exits. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}
