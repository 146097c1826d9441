/**
 * `npm run bench:compare -- BASE [FILTER...] [--rounds N]`
 *
 * Runs the benches whose names contain a filter (default: `micro/` and `cost/`) in a worktree of BASE and in this checkout, in turns, each
 * in a process of its own, and prints how this checkout's times relate to BASE's. Each side runs its own benches; what only
 * one of them has is left out. Times are divided by the yardstick of their own run.
 *
 * Ends with 1 when something is more than 10 % slower, by at least five runs of each whose middle halves do not overlap;
 * from 5 % on it is marked. Ends with 2 when there is nothing to compare.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Comparison, compareRuns } from "./comparison.ts";
import type { SavedRun } from "./saved-runs.ts";

const HERE = fileURLToPath(new URL("..", import.meta.url));
const YARDSTICK = "micro/yardstick";

const { base, filters, rounds } = readArguments();
// Whoever types Ctrl-C ends the bench that runs, and the worktree goes with that.
process.on("SIGINT", () => {});

const worktree = join(mkdtempSync(join(tmpdir(), "osm-bench-base-")), "checkout");
try {
  git("worktree", "add", "--detach", "--quiet", worktree, base);
  prepare();
  const runs: { readonly base: SavedRun[]; readonly head: SavedRun[] } = { base: [], head: [] };
  for (let round = 0; round < rounds; round++) {
    // Who is first has what the machine does at that moment.
    const order = round % 2 === 0 ? (["base", "head"] as const) : (["head", "base"] as const);
    for (const side of order) {
      process.stderr.write(`round ${round + 1} of ${rounds}: ${side}\n`);
      runs[side].push(runBench(side === "base" ? worktree : HERE));
    }
    if (compareRuns(runs.base, runs.head).times.length === 0) break;
  }
  report(compareRuns(runs.base, runs.head));
} catch (error) {
  process.stderr.write(`npm run bench:compare: ${(error as Error).message}\n`);
  process.exitCode = 1;
} finally {
  if (existsSync(worktree)) git("worktree", "remove", "--force", worktree);
  rmSync(join(worktree, ".."), { recursive: true, force: true });
}

function readArguments() {
  try {
    const options = { rounds: { type: "string", default: "5" } } as const;
    const { values, positionals } = parseArgs({ allowPositionals: true, options });
    const [base, ...given] = positionals;
    const rounds = Number(values.rounds);
    if (base === undefined || !Number.isInteger(rounds) || rounds < 1) {
      throw new Error("usage: npm run bench:compare -- BASE [FILTER...] [--rounds N]");
    }
    const { status } = spawnSync("git", ["rev-parse", "--verify", "--quiet", "--end-of-options", `${base}^{commit}`], {
      cwd: HERE,
    });
    if (status !== 0) throw new Error(`there is no commit ${base} in this checkout; "git log --oneline" lists them`);
    return { base, filters: given.length === 0 ? ["micro/", "cost/"] : given, rounds };
  } catch (error) {
    process.stderr.write(`npm run bench:compare: ${(error as Error).message}\n`);
    process.exit(2);
  }
}

function git(...args: readonly string[]): void {
  execFileSync("git", [...args], { cwd: HERE, stdio: ["ignore", "ignore", "inherit"] });
}

/** Takes over what the set-up has made here where it would be the same there; the set-up does the rest. */
function prepare(): void {
  const isSame = (file: string) =>
    readFileSync(join(HERE, file), "utf8") === readFileSync(join(worktree, file), "utf8");
  if (["package.json", "package-lock.json"].every(isSame)) {
    symlinkSync(join(HERE, "node_modules"), join(worktree, "node_modules"));
  }
  const generated = join(HERE, "proto/gen");
  if (existsSync(generated)) cpSync(generated, join(worktree, "proto/gen"), { recursive: true });
}

function runBench(checkout: string): SavedRun {
  const setUp = [join(checkout, "scripts/set-up.mjs"), "--for", "bench", "--quiet", "--"];
  const { status, signal, stdout } = spawnSync(
    process.execPath,
    [...setUp, "node", "bench/run.ts", YARDSTICK, ...filters, "--json"],
    { cwd: checkout, encoding: "utf8", maxBuffer: 2 ** 28, stdio: ["ignore", "pipe", "inherit"] },
  );
  if (status !== 0)
    throw new Error(`the benches of ${checkout === HERE ? "this checkout" : base} ended with ${status ?? signal}`);
  return JSON.parse(stdout) as SavedRun;
}

function report({ times, counts }: Comparison): void {
  if (times.length === 0) {
    // Nothing was found slower, because nothing was compared.
    process.stderr.write(
      `no bench that both sides have, in each round, has a name with ${filters.join(" or ")} in it\n`,
    );
    process.exitCode = 2;
  }
  const width = Math.max(0, ...times.map(({ name }) => name.length));
  const show = (value: number) => value.toFixed(3);
  for (const { name, ratio, low, high, verdict } of times) {
    const mark = verdict === "same" ? "" : `  ${verdict.toUpperCase()}`;
    process.stdout.write(`${name.padEnd(width)}  ${show(ratio)}  (${show(low)} to ${show(high)})${mark}\n`);
  }
  for (const { name, before, after } of counts) process.stdout.write(`${name}: ${before} became ${after}  CHANGED\n`);
  if (times.some(({ verdict }) => verdict === "slower")) process.exitCode = 1;
}
