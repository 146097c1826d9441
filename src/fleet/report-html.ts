import { type Band, drawPlot, escapeHtml, type PlotSeries } from "./report-plot.ts";
import type { Delays, RunReport } from "./report-result.ts";
import { REPORT_HEADERS, reportNotes, reportRows } from "./report-table.ts";
import type { FigureSample } from "./run-figures.ts";

const STYLE = `
:root { color-scheme: light dark; --ink: #1c1c1c; --paper: #fff; --line: #d8d8d8; --soft: #f3f3f3; --bad: #b00020; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e6e6; --paper: #16181b; --line: #3a3d42; --soft: #212428; --bad: #ff8a80; } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2rem auto; max-width: 80rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0 0 .2rem; } p { margin: .3rem 0; }
.scroll { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 12.5px; }
th, td { padding: .25rem .35rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } thead th { border-bottom-width: 2px; }
figure { margin: 1.5rem 0; } figcaption { font-weight: 600; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1rem; font-size: 13px; margin: .2rem 0; }
.legend i { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin-right: .35em; }
svg { width: 100%; height: auto; } svg text { font-size: 11px; fill: var(--ink); }
.grid { stroke: var(--line); stroke-width: .6; } .band { fill: var(--soft); } .band.other { fill: transparent; }
svg .band-name { opacity: .75; paint-order: stroke; stroke: var(--paper); stroke-width: 3px; } .failed { color: var(--bad); font-weight: 600; } pre { white-space: pre-wrap; font-size: 13px; }
`;

/** A report as one page that needs nothing beside it. */
export function reportHtml(report: RunReport): string {
  const { scenario, machine, oracle } = report;
  const head = REPORT_HEADERS.map((each) => `<th>${escapeHtml(each)}</th>`).join("");
  const body = reportRows(report)
    .map((row) => `<tr>${row.map((cell) => `<td>${escapeHtml(cell)}</td>`).join("")}</tr>`)
    .join("");
  const table = `<div class="scroll"><table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>`;
  const notes = reportNotes(report)
    .map((note) => escapeHtml(note))
    .join("\n");
  const { shape } = scenario;
  const facts = `${scenario.proxies} proxies, ${shape.services} services x ${shape.pods} pods in ${shape.namespaces} namespaces, ${shape.mode}, ${scenario.protocol}, seed ${scenario.seed}`;
  return [
    "<!doctype html>",
    `<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(scenario.name)}</title>`,
    `<style>${STYLE}</style>`,
    `<h1>${escapeHtml(scenario.name)}</h1>`,
    `<p>${escapeHtml(scenario.description)}</p>`,
    `<p>Shape ${escapeHtml(scenario.shapeName)}: ${escapeHtml(facts)}.</p>`,
    `<p>${escapeHtml(report.startedAt)}, ${escapeHtml(machine.runtime)}, ${machine.cpus} cores, ${escapeHtml(machine.platform)}.</p>`,
    oracle.isPassed ? table : '<p class="failed">The oracle failed: there are no numbers.</p>',
    `<pre>${notes}</pre>`,
    ...(oracle.isPassed ? plots(report) : []),
    "</html>",
    "",
  ].join("\n");
}

function plots(report: RunReport): readonly string[] {
  const bands: readonly Band[] = report.phases.map(({ name, startMs, endMs }) => ({
    name,
    from: startMs / 1000,
    to: endMs / 1000,
  }));
  const { server, clients } = report.samples;
  return [
    drawPlot({
      title: "Convergence: share of the deliveries that had arrived",
      xLabel: "ms since the change (logarithmic)",
      yLabel: "share",
      hasLogX: true,
      yMax: 1,
      series: report.phases.flatMap((phase) => cdfSeries(phase.name, phase.toEach ?? phase.opened?.toEach)),
    }),
    drawPlot({
      title: "CPU",
      xLabel: "s since the run began",
      yLabel: "cores",
      bands,
      series: [
        { name: "control plane", isLine: true, points: cores(server) },
        { name: "clients", isLine: true, points: cores(clients) },
      ],
    }),
    drawPlot({
      title: "Memory",
      xLabel: "s since the run began",
      yLabel: "MiB resident",
      bands,
      series: [
        { name: "control plane", isLine: true, points: mebibytes(server) },
        { name: "clients", isLine: true, points: mebibytes(clients) },
      ],
    }),
    drawPlot({
      title: "Deliveries per change",
      xLabel: "change of its phase",
      yLabel: "proxies",
      series: report.phases
        .filter(({ perChange }) => perChange.length > 0)
        .map(
          ({ name, perChange }): PlotSeries => ({
            name,
            isLine: false,
            points: perChange.map((count, place): readonly [number, number] => [place + 1, count]),
          }),
        ),
    }),
  ];
}

function cdfSeries(name: string, delays: Delays | undefined): readonly PlotSeries[] {
  if (delays === undefined) return [];
  const { kept } = delays;
  return [{ name, isLine: true, points: kept.map((value, place) => [value, (place + 1) / kept.length]) }];
}

/** CPU in cores between one sample and the next; a process that was started again counts from 0. */
function cores(samples: readonly FigureSample[]): readonly (readonly [number, number])[] {
  return samples.slice(1).flatMap((sample, place): readonly (readonly [number, number])[] => {
    const before = samples[place];
    if (before === undefined || sample.cpuSeconds < before.cpuSeconds || sample.atMs <= before.atMs) return [];
    return [[sample.atMs / 1000, ((sample.cpuSeconds - before.cpuSeconds) * 1000) / (sample.atMs - before.atMs)]];
  });
}

function mebibytes(samples: readonly FigureSample[]): readonly (readonly [number, number])[] {
  return samples.map(({ atMs, rssBytes }) => [atMs / 1000, rssBytes / 2 ** 20]);
}
