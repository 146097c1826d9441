/** What `perf-results/` holds; its README says what each field means. */
import { appendFileSync, readdirSync, readFileSync } from "node:fs";
import type { RunContext } from "./machine.ts";
import type { Findings } from "./measurement.ts";

export interface SavedRun extends RunContext, Findings {
  /** 1: without quartiles, and one file for each run. */
  readonly schema: 1 | 2;
}

const FOLDER = new URL("../perf-results/", import.meta.url);
const FILE = new URL("runs.jsonl", FOLDER);

/** Adds a line; returns the file's path in the checkout. */
export function saveRun(run: SavedRun): string {
  appendFileSync(FILE, `${JSON.stringify(run)}\n`);
  return "perf-results/runs.jsonl";
}

/** All runs in the order of their dates. */
export function readRuns(): readonly SavedRun[] {
  const files = readdirSync(FOLDER).filter((name) => /\.jsonl?$/.test(name));
  const texts = files.flatMap((name) => {
    const text = readFileSync(new URL(name, FOLDER), "utf8");
    return name.endsWith(".json") ? [text] : text.split("\n").filter(Boolean);
  });
  const runs = texts.map((text) => JSON.parse(text) as SavedRun);
  return runs.sort((left, right) => left.date.localeCompare(right.date));
}
