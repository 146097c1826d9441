/** How long the turns of an event loop are, in processor time: what a change waits for, whatever else the machine does. */

/** Turns of a while: what the thread worked in each (ms), and how long the while was. */
export interface Turns {
  readonly workedMs: readonly number[];
  readonly ms: number;
}

/**
 * What comes at any moment finds a turn under way, or none. The work (ms) that is left of it, so that a share of all moments
 * find more: 0 when the thread is idle more often than that.
 */
export function workUnderWay({ workedMs, ms }: Turns, share: number): number {
  const longest = [...workedMs].sort((left, right) => right - left);
  // Moments that find more than `left` are those in the first `turn - left` of each turn that is longer.
  let sum = 0;
  for (const [place, turn] of longest.entries()) {
    const count = place + 1;
    sum += turn;
    const left = (sum - share * ms) / count;
    if (left > (longest[count] ?? 0)) return left;
  }
  return 0;
}

declare global {
  var osmTurnsWorked: number[] | undefined;
}

/**
 * Runs in the process that is looked into, as its own text: notes what each turn works, without keeping the loop from resting.
 * Goes on with what it has noted where it runs already.
 */
export function noteTurns(): void {
  if (globalThis.osmTurnsWorked !== undefined) return;
  globalThis.osmTurnsWorked = [];
  const worked = () => {
    const { user, system } = (process.threadCpuUsage ?? process.cpuUsage)();
    return (user + system) / 1000;
  };
  let before = worked();
  const note = () => {
    const now = worked();
    globalThis.osmTurnsWorked?.push(now - before);
    before = now;
    // Whatever nobody waits for runs once a turn, and lets the loop wait.
    setImmediate(note).unref();
  };
  setImmediate(note).unref();
}

/** Runs there as well: what was noted since it ran last. */
export function takeNotedTurns(): readonly number[] {
  return globalThis.osmTurnsWorked?.splice(0) ?? [];
}
