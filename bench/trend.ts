/** `npm run bench:trend [-- FILE]`: a page with a plot for each bench in `perf-results/` (default: `.osm/trend.html`). */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { readRuns } from "./saved-runs.ts";
import { trendPage } from "./trend-page.ts";

const given = process.argv[2];
const file =
  given === undefined
    ? fileURLToPath(new URL("../.osm/trend.html", import.meta.url))
    : resolve(process.env["INIT_CWD"] ?? ".", given);
mkdirSync(dirname(file), { recursive: true });
writeFileSync(file, trendPage(readRuns()));
process.stderr.write(`${file}\n`);
