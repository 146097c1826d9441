import type { ExactCount, Measurement, Samples, Unit } from "./measurement.ts";

const HEADINGS = ["", "ops/s", "p50", "p99", "noise", "n"] as const;
type Row = readonly [string, ...string[]];

/** A table for people. */
export function measurementTable(measurements: readonly Measurement[]): string {
  return aligned([HEADINGS, ...measurements.map(cells)]);
}

function aligned(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) => row.map((cell, n) => (n === 0 ? cell.padEnd(widths[n] ?? 0) : cell.padStart(widths[n] ?? 0))))
    .map((row) => row.join("  ").trimEnd())
    .join("\n");
}

/** Findings of a comparison, `<what>, ours`, `<what>, theirs` and `<what>, ratio` in one row each. */
export function comparisonTable(measurements: readonly Measurement[]): string {
  const byName = new Map(measurements.map((each) => [each.name, each]));
  const rows: string[][] = [["", "ours", "theirs", "ratio", "middle half", "n"]];
  for (const { name, unit, samples } of measurements) {
    if (!name.endsWith(", ratio")) continue;
    const what = name.slice(0, -", ratio".length);
    const [ours, theirs] = ["ours", "theirs"].map((side) => byName.get(`${what}, ${side}`));
    const show = (each: Measurement | undefined) => (each === undefined ? "" : shown(each.samples.p50, each.unit));
    const half = `${shown(samples.q1, unit)} to ${shown(samples.q3, unit)}`;
    rows.push([what, show(ours), show(theirs), shown(samples.p50, unit), half, String(samples.taken)]);
  }
  return aligned(rows);
}

/** One finding a line, for logs. */
export function measurementLine(measurement: Measurement): string {
  const [name, rate, p50, p99, noise, taken] = cells(measurement);
  if (measurement.samples.taken === 1) return `${name}: ${p50}, n 1`;
  return `${name}: p50 ${p50}, p99 ${p99}${rate === "" ? "" : `, ${rate} a second`}, noise ${noise}, n ${taken}`;
}

export function countLine({ name, value }: ExactCount): string {
  return `${name}: ${value}`;
}

function cells({ name, unit, samples }: Measurement): Row {
  const { p50, p99, noisePercent, taken } = samples;
  const show = (value: number) => shown(value, unit);
  // Neither quantiles nor noise are to be had of one.
  if (taken === 1) return [name, "", show(p50), "", "", "1"];
  // Others than stages are not done one after the other.
  const perSecond = unit === "ms" && name.startsWith("micro/") ? rate(samples) : "";
  return [name, perSecond, show(p50), show(p99), `±${noisePercent.toFixed(1)} %`, `${taken}`];
}

/** By the median: a busy machine stretches the mean. */
function rate({ p50 }: Samples): string {
  if (p50 === 0) return "";
  const perSecond = 1000 / p50;
  return perSecond >= 10 ? Math.round(perSecond).toLocaleString("en") : perSecond.toFixed(2);
}

/** As a person reads it. */
export function shown(value: number, unit: Unit): string {
  return unit === "ms" ? duration(value) : amount(value, unit);
}

function duration(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toFixed(2)} s`;
  return ms >= 1 ? `${ms.toFixed(2)} ms` : `${(ms * 1000).toFixed(2)} µs`;
}

/** Three digits are enough for a person; the saved run has more. */
function amount(value: number, unit: Unit): string {
  const digits = Math.abs(value) >= 100 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(3)));
  return unit === "ratio" || unit === "count" ? digits : `${digits} ${unit === "percent" ? "%" : unit}`;
}
