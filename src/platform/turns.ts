/** Resolves after the runtime has had a turn for its sockets and timers: for long work on the main thread, in slices. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Milliseconds of processor time of this thread; of the whole process where the runtime knows no better. */
export function workedMs(): number {
  const { user, system } = (process.threadCpuUsage ?? process.cpuUsage)();
  return (user + system) / 1000;
}
