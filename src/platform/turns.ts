/** Resolves after the runtime has had a turn for its sockets and timers: for long work on the main thread, in slices. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
