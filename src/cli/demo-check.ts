import { demoSteps } from "../main/mod.ts";
import { type CommandContext, EXIT } from "./command.ts";
import { startDemoSession } from "./demo-session.ts";
import { awaitFirstAnswer, runStep } from "./demo-step.ts";
import type { Verdict } from "./demo-verdict.ts";

/** Runs all steps and prints, in plain lines, what each was expected to do and what was seen. */
export async function runCheck(
  options: { readonly stateDir?: string; readonly workers: number },
  context: CommandContext,
): Promise<number> {
  const session = await startDemoSession(
    { ...options, line: (text) => context.write(`  control plane: ${text}`), note: context.note },
    context,
  );
  try {
    context.write(`First mTLS answer after ${(await awaitFirstAnswer(session)).toFixed(1)} s\n`);
    let failed = 0;
    for (const [index, step] of demoSteps.entries()) {
      context.write(`\nStep ${index + 1} of ${demoSteps.length}: ${step.title}\n`);
      const progress = await runStep(step, session, () => undefined);
      for (const verdict of progress.verdicts) context.write(describeVerdict(verdict));
      if (progress.state !== "met") failed += 1;
    }
    context.write(summary(failed));
    return failed === 0 ? EXIT.ok : EXIT.failed;
  } finally {
    await session.stop();
  }
}

/** Two lines: what was expected, and what was seen. */
function describeVerdict({ state, expected, observed }: Verdict): string {
  const mark = { met: "ok    ", open: "FAILED", unmet: "FAILED" }[state];
  const late = state === "open" ? " (too few to tell)" : "";
  return `  ${mark} expected ${expected}\n         observed ${observed}${late}\n`;
}

function summary(failed: number): string {
  const all = demoSteps.length;
  return failed === 0
    ? `\nAll ${all} steps had exactly their effect\n`
    : `\n${failed} of ${all} steps did not have their effect\n`;
}
