/** Saved runs as one HTML page that needs nothing else: a small plot for each bench, runs from left to right. Pure. */
import type { Samples, Unit } from "./measurement.ts";
import { shown } from "./report.ts";
import type { SavedRun } from "./saved-runs.ts";

interface Point {
  readonly run: SavedRun;
  readonly samples: Samples;
}

interface Series {
  readonly name: string;
  readonly unit: Unit;
  readonly points: readonly Point[];
}

const WIDTH = 360;
const HEIGHT = 120;
const MARGIN = { left: 68, right: 10, top: 10, bottom: 18 };

/** Benches in groups by the first two parts of their names, each with the median, the middle half and p99 of every run. */
export function trendPage(runs: readonly SavedRun[]): string {
  const groups = Map.groupBy(seriesOf(runs), ({ name }) => name.split(/[/:]/, 2).join("/"));
  const sections = [...groups].map(
    ([group, series]) => `<h2>${escaped(group)}</h2>\n<div class="plots">${series.map(plot).join("\n")}</div>`,
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Benches over time</title><style>${STYLE}</style></head><body>
<h1>Benches over time</h1>
<p>${runs.length} runs. Dot: median; bar: the middle half; tick: p99. The axis begins at 0. Times of different machines and hours
can be compared only with the yardstick beside them.</p>
${sections.join("\n")}
<h2>Runs</h2>
<table><tr><th>#</th><th>date</th><th>commit</th><th>machine</th><th>runtime</th><th>command</th></tr>
${runs.map(runRow).join("\n")}
</table></body></html>
`;
}

function seriesOf(runs: readonly SavedRun[]): readonly Series[] {
  const byName = new Map<string, { readonly unit: Unit; readonly points: Point[] }>();
  for (const run of runs) {
    const runtime = run.runtime.name === "node" ? "" : `, on ${run.runtime.name}`;
    for (const { name: measured, unit, samples } of run.measurements) {
      const name = `${measured}${runtime}`;
      const series = byName.get(name) ?? { unit, points: [] };
      byName.set(name, series);
      series.points.push({ run, samples });
    }
    for (const { name: counted, value } of run.counts) {
      const name = `${counted}${runtime}`;
      const series = byName.get(name) ?? { unit: "count" as const, points: [] };
      byName.set(name, series);
      const same = { p50: value, q1: value, q3: value, p99: value };
      series.points.push({
        run,
        samples: { ...same, taken: 1, mean: value, min: value, max: value, noisePercent: 0, kept: [] },
      });
    }
  }
  return [...byName].map(([name, { unit, points }]) => ({ name, unit, points }));
}

function plot({ name, unit, points }: Series): string {
  const top = Math.max(...points.map(({ samples }) => samples.p99), Number.MIN_VALUE);
  const x = (n: number) => MARGIN.left + ((n + 0.5) * (WIDTH - MARGIN.left - MARGIN.right)) / points.length;
  const y = (value: number) => HEIGHT - MARGIN.bottom - (value / top) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const line = points.map(({ samples }, n) => `${x(n).toFixed(1)},${y(samples.p50).toFixed(1)}`).join(" ");
  const marks = points.map(({ run, samples }, n) => {
    const at = x(n).toFixed(1);
    // Runs of the first schema have no quartiles.
    const [low, high] = [samples.q1 ?? samples.p50, samples.q3 ?? samples.p50].map((value) => y(value).toFixed(1));
    const p99 = y(samples.p99).toFixed(1);
    const title = `${run.date.slice(0, 16)} ${run.commit.slice(0, 10)}${run.isDirty ? " +" : ""}: ${samples.p50} ${unit}, p99 ${samples.p99}, n ${samples.taken}`;
    return `<g><title>${escaped(title)}</title><line class="half" x1="${at}" x2="${at}" y1="${low}" y2="${high}"/>
<line class="p99" x1="${x(n) - 4}" x2="${x(n) + 4}" y1="${p99}" y2="${p99}"/><circle cx="${at}" cy="${y(samples.p50).toFixed(1)}" r="3"/></g>`;
  });
  const last = points.at(-1)?.samples.p50 ?? 0;
  const axis = [0, top / 2, top].map(
    (value) =>
      `<line class="grid" x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${y(value)}" y2="${y(value)}"/>
<text x="${MARGIN.left - 6}" y="${y(value) + 4}" text-anchor="end">${value === 0 ? "0" : shown(value, unit)}</text>`,
  );
  const label = name.split(/[/:]/).slice(2).join(": ").trim() || name;
  return `<figure><figcaption>${escaped(label)} <b>${shown(last, unit)}</b></figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(name)}">${axis.join("")}<polyline points="${line}"/>${marks.join("")}</svg></figure>`;
}

function runRow(run: SavedRun, n: number): string {
  const { machine, runtime } = run;
  const cells = [
    String(n + 1),
    run.date.slice(0, 16).replace("T", " "),
    `${run.commit.slice(0, 10)}${run.isDirty ? " +" : ""}`,
    `${machine.cpus} x ${machine.model}, ${machine.system} ${machine.kernel}`,
    `${runtime.name} ${runtime.version}`,
    run.command.join(" "),
  ];
  return `<tr>${cells.map((cell) => `<td>${escaped(cell)}</td>`).join("")}</tr>`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

const STYLE = `
body { font: 14px/1.4 system-ui, sans-serif; margin: 2rem auto; max-width: 1180px; padding: 0 1rem; color: #1c2733; }
h2 { margin: 2rem 0 .5rem; font-size: 1.05rem; border-bottom: 1px solid #d8dee4; }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(340px, 1fr)); gap: 1rem; }
figure { margin: 0; } figcaption { font-size: .85rem; } figcaption b { float: right; font-variant-numeric: tabular-nums; }
svg { width: 100%; } svg text { font-size: 10px; fill: #5b6875; }
.grid { stroke: #e6eaee; } polyline { fill: none; stroke: #9db7d5; stroke-width: 1.5; }
circle { fill: #1f5fa8; } .half { stroke: #1f5fa8; stroke-width: 4; opacity: .4; } .p99 { stroke: #b5562b; stroke-width: 1.5; }
table { border-collapse: collapse; font-size: .85rem; } td, th { text-align: left; padding: .2rem .6rem; border-bottom: 1px solid #e6eaee; }
`;
