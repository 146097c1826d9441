/** What is known of suites from kept runs: which were run with the sources as they are, and how long each takes. */
import type { SavedRun } from "./saved-runs.ts";

export interface Schedule {
  /** Of the latest kept run on the same runtime; undefined when there is none. */
  secondsOf(suite: string): number | undefined;
  /** Whether a clean run of the sources as they are now has it. */
  isKept(suite: string): boolean;
}

/** `isUnchangedSince` says whether what is measured now is what a commit has. */
export function scheduleOf(
  runs: readonly SavedRun[],
  runtime: string,
  isUnchangedSince: (commit: string) => boolean,
): Schedule {
  const seconds = new Map<string, number>();
  const kept = new Set<string>();
  const commits = new Map<string, boolean>();
  for (const run of runs) {
    if (run.runtime.name !== runtime || run.command.some((word) => word.startsWith("--server-flag"))) continue;
    if (!commits.has(run.commit)) commits.set(run.commit, isUnchangedSince(run.commit));
    for (const suite of run.suites ?? []) {
      seconds.set(suite.name, suite.seconds);
      if (!run.isDirty && commits.get(run.commit)) kept.add(suite.name);
    }
  }
  return { secondsOf: (suite) => seconds.get(suite), isKept: (suite) => kept.has(suite) };
}

/** How long suites take together, and of how many of them that is not known. */
export function estimateOf(suites: readonly string[], { secondsOf }: Schedule): string {
  const known = suites.map(secondsOf).filter((seconds) => seconds !== undefined);
  const unknown = suites.length - known.length;
  const sum = known.reduce((total, seconds) => total + seconds, 0);
  const about = sum < 90 ? `${Math.round(sum)} s` : `${Math.round(sum / 60)} min`;
  if (unknown === 0) return `about ${about}`;
  return known.length === 0 ? "how long is not known" : `about ${about}, and ${unknown} that no kept run has`;
}
