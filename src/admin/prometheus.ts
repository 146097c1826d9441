import type { LabelValues, MetricFamily, Metrics } from "../lib/mod.ts";

/** Renders the Prometheus text exposition format 0.0.4. */
export function renderMetrics(metrics: Metrics): string {
  return metrics.families().map(renderFamily).join("");
}

function renderFamily(family: MetricFamily): string {
  const lines = [`# HELP ${family.name} ${escapeHelp(family.help)}`, `# TYPE ${family.name} ${family.kind}`];
  const series = family.series.length > 0 || family.kind === "histogram" ? family.series : [{ labels: {}, value: 0 }];
  for (const { labels, value, buckets, count } of series) {
    if (family.kind !== "histogram") {
      lines.push(`${family.name}${renderLabels(labels)} ${renderNumber(value)}`);
      continue;
    }
    const bounds = [...(family.bounds ?? []).map(renderNumber), "+Inf"];
    bounds.forEach((le, position) => {
      lines.push(`${family.name}_bucket${renderLabels({ ...labels, le })} ${buckets?.[position] ?? 0}`);
    });
    lines.push(`${family.name}_sum${renderLabels(labels)} ${renderNumber(value)}`);
    lines.push(`${family.name}_count${renderLabels(labels)} ${count ?? 0}`);
  }
  return `${lines.join("\n")}\n`;
}

function renderLabels(labels: LabelValues): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function renderNumber(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  if (value === Number.NEGATIVE_INFINITY) return "-Inf";
  return String(value);
}

const escapeHelp = (text: string) => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
const escapeLabel = (text: string) => escapeHelp(text).replaceAll('"', '\\"');
