/**
 * `npm run bench:readme [-- --write]`
 *
 * Prints the rows of the README's tables with the numbers of `perf-results/`; with `--write` puts them into the README, with
 * the line that says of which commits they are; labels, aims and words stay. Ends with 1 when a row that has numbers is not
 * in the README, or a measurement in no run.
 */
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { withNumbers } from "./readme-numbers.ts";
import { readRuns } from "./saved-runs.ts";

const README = new URL("../README.md", import.meta.url);

const { text, rows, problems } = withNumbers(readFileSync(README, "utf8"), readRuns());
if (process.argv.includes("--write")) writeFileSync(README, text);
else process.stdout.write(`${rows.join("\n")}\n`);
for (const problem of problems) process.stderr.write(`${problem}\n`);
if (problems.length > 0) process.exitCode = 1;
