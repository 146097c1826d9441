/** Thrown when the program itself is wrong; never caused by input. */
export class InvariantError extends Error {
  override readonly name = "InvariantError";
}

/**
 * States what must hold here. What it was for fails, and nothing else: a worker's job, a stream, a push, which is tried again;
 * where nothing smaller does, the process, which says why as it exits.
 */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}
