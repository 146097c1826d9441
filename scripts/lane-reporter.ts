import { writeFileSync } from "node:fs";
import type { SerializedError } from "vitest";
import type { Reporter, TestModule } from "vitest/node";

/** What became of one test. */
export interface TestOutcome {
  /** File and full name. */
  readonly name: string;
  readonly state: "passed" | "failed" | "skipped";
  /** What a skipped test said as its reason. */
  readonly note?: string;
}

/** Writes the outcome of each test as JSON to the file that `LANE_REPORT` names. */
export class LaneReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const outcomes: TestOutcome[] = modules.flatMap(outcomesOf);
    for (const { message } of unhandled) outcomes.push({ name: `unhandled: ${message}`, state: "failed" });
    const path = process.env["LANE_REPORT"];
    if (path) writeFileSync(path, JSON.stringify(outcomes));
  }
}

function outcomesOf(module: TestModule): TestOutcome[] {
  const file = module.relativeModuleId;
  const tests = [...module.children.allTests()].map((test): TestOutcome => {
    const result = test.result();
    const state = result.state === "pending" ? "failed" : result.state;
    const note = result.state === "skipped" ? result.note : undefined;
    return { name: `${file} > ${test.fullName}`, state, ...(note === undefined ? {} : { note }) };
  });
  // A file that does not load, or a hook outside of tests that fails, is no test and must not pass for none.
  const broken = module.state() === "failed" && !tests.some(({ state }) => state === "failed");
  return broken ? [...tests, { name: file, state: "failed" }] : tests;
}

export { LaneReporter as default };
