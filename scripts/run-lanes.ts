import { spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestOutcome } from "./lane-reporter.ts";
import type { Lane } from "./lanes.ts";

const checkout = join(fileURLToPath(import.meta.url), "../..");

/** Longer than any lane takes (ms): one that still runs then hangs. */
const laneLimit = 15 * 60_000;

/** What one lane came to. */
export interface LaneResult {
  readonly lane: Lane;
  readonly hasPassed: boolean;
  readonly seconds: number;
  readonly output: string;
  readonly outcomes: readonly TestOutcome[];
}

/**
 * Runs lanes, `atOnce` side by side, and prints a line for each as it ends, with its output when it failed.
 * A terminal also sees what is running.
 */
export async function runLanes(lanes: readonly Lane[], atOnce: number): Promise<readonly LaneResult[]> {
  const width = Math.max(...lanes.map(({ name }) => name.length));
  const waiting = [...lanes];
  const running = new Set<string>();
  const results: LaneResult[] = [];
  const { stdout } = process;
  const showRunning = () => {
    if (stdout.isTTY) stdout.write(running.size > 0 ? `\r\x1b[K ...    ${[...running].join(", ")}` : "\r\x1b[K");
  };
  const worker = async () => {
    for (let lane = waiting.shift(); lane; lane = waiting.shift()) {
      running.add(lane.name);
      showRunning();
      const result = await runLane(lane);
      results.push(result);
      running.delete(lane.name);
      if (stdout.isTTY) stdout.write("\r\x1b[K");
      console.log(describeResult(result, width));
      showRunning();
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return lanes.flatMap((lane) => results.filter((result) => result.lane === lane));
}

function describeResult({ lane, hasPassed, seconds, output, outcomes }: LaneResult, width: number): string {
  const counts = outcomes.length > 1 ? `  ${describeCounts(outcomes)}` : "";
  const line = `${hasPassed ? " ok    " : " FAILED"} ${lane.name.padEnd(width)} ${seconds.toFixed(1).padStart(6)} s${counts}`;
  return hasPassed ? line : `${line}\n\n${output.trimEnd()}\n`;
}

/** `N passed, N failed, N skipped`. */
export function describeCounts(outcomes: readonly TestOutcome[]): string {
  const count = (wanted: TestOutcome["state"]) => outcomes.filter(({ state }) => state === wanted).length;
  return `${count("passed")} passed, ${count("failed")} failed, ${count("skipped")} skipped`;
}

async function runLane(lane: Lane): Promise<LaneResult> {
  const start = performance.now();
  const { code, output } = await runProgram(lane);
  const outcomes = readOutcomes(lane, code);
  return {
    lane,
    hasPassed: code === 0 && !outcomes.some(({ state }) => state === "failed"),
    seconds: (performance.now() - start) / 1000,
    output,
    outcomes,
  };
}

function runProgram({ command: [program, ...args], reportFile }: Lane): Promise<{ code: number; output: string }> {
  const path = [join(checkout, "node_modules/.bin"), process.env["PATH"]].join(delimiter);
  const color = process.stdout.isTTY ? { FORCE_COLOR: "1" } : { NO_COLOR: "1", FORCE_COLOR: undefined };
  const env = { ...process.env, ...color, PATH: path, ...(reportFile ? { LANE_REPORT: reportFile } : {}) };
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: checkout,
      env,
      stdio: ["ignore", "pipe", "pipe"],
      timeout: laneLimit,
      killSignal: "SIGKILL",
    });
    let output = "";
    child.stdout.on("data", (chunk) => {
      output += chunk;
    });
    child.stderr.on("data", (chunk) => {
      output += chunk;
    });
    child.on("error", (error) =>
      resolve({ code: 127, output: `${output}${program} does not start: ${error.message}` }),
    );
    child.on("close", (code, signal) => {
      if (signal) output += `\n${program} was ended by ${signal}; a lane may take ${laneLimit / 60_000} minutes.`;
      resolve({ code: code ?? 1, output });
    });
  });
}

/** A lane without a report is one test; one that ended badly without a failed test has failed as a whole. */
function readOutcomes({ name, reportFile }: Lane, code: number): readonly TestOutcome[] {
  const whole: TestOutcome = { name, state: code === 0 ? "passed" : "failed" };
  if (!reportFile) return [whole];
  if (!existsSync(reportFile)) return code === 0 ? [] : [whole];
  const outcomes = JSON.parse(readFileSync(reportFile, "utf8")) as TestOutcome[];
  rmSync(reportFile);
  return code === 0 || outcomes.some(({ state }) => state === "failed") ? outcomes : [...outcomes, whole];
}
