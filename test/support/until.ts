const PATIENCE_MS = 25_000;

/** Waits, turn by turn, until a condition holds. A loop that outlived its test would take the core from those that follow. */
export async function until(condition: () => boolean): Promise<void> {
  const endsAt = performance.now() + PATIENCE_MS;
  while (!condition()) {
    if (performance.now() > endsAt) throw new Error(`it did not come about within ${PATIENCE_MS} ms: ${condition}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
