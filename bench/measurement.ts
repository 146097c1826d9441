/** What a bench finds out, and how many numbers become few. */

/** `ratio`: ours to theirs, or one run to another; below 1 ours is less. */
export type Unit = "ms" | "µs" | "MiB" | "bytes" | "count" | "percent" | "ratio";

/** Something that varies from run to run. */
export interface Measurement {
  readonly name: string;
  readonly unit: Unit;
  readonly samples: Samples;
}

/** Something that is the same whenever and wherever it is counted; another value is another behaviour. */
export interface ExactCount {
  readonly name: string;
  readonly value: number;
}

export interface Findings {
  readonly measurements: readonly Measurement[];
  readonly counts: readonly ExactCount[];
}

/** A sample's summary, and as much of the sample as is worth keeping. */
export interface Samples {
  /** How many were taken. */
  readonly taken: number;
  readonly mean: number;
  readonly p50: number;
  /** The middle half of the sample lies between them. */
  readonly q1: number;
  readonly q3: number;
  readonly p99: number;
  readonly min: number;
  readonly max: number;
  /** Relative margin of error of the mean (95 %, normal approximation), in percent: the noise. */
  readonly noisePercent: number;
  /** In ascending order; of a large sample every n-th, both ends included. */
  readonly kept: readonly number[];
}

/** How many values of a sample are kept. */
const KEPT_MAX = 60;

/** Summarizes values; at least one. */
export function summarize(values: readonly number[]): Samples {
  const sorted = [...values].sort((left, right) => left - right);
  const mean = sorted.reduce((sum, value) => sum + value, 0) / sorted.length;
  const squares = sorted.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const standardError = sorted.length < 2 ? 0 : Math.sqrt(squares / (sorted.length - 1) / sorted.length);
  return {
    taken: sorted.length,
    mean: rounded(mean),
    p50: rounded(quantile(sorted, 0.5)),
    q1: rounded(quantile(sorted, 0.25)),
    q3: rounded(quantile(sorted, 0.75)),
    p99: rounded(quantile(sorted, 0.99)),
    min: rounded(sorted[0] ?? 0),
    max: rounded(sorted.at(-1) ?? 0),
    noisePercent: mean === 0 ? 0 : rounded((196 * standardError) / mean),
    kept: thinned(sorted).map(rounded),
  };
}

/** The value that a share of a sorted sample does not exceed (nearest rank). */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}

function thinned(sorted: readonly number[]): readonly number[] {
  if (sorted.length <= KEPT_MAX) return sorted;
  const stride = (sorted.length - 1) / (KEPT_MAX - 1);
  return Array.from({ length: KEPT_MAX }, (_, n) => sorted[Math.round(n * stride)] ?? 0);
}

/** Five significant digits: more would be noise. */
function rounded(value: number): number {
  return Number(value.toPrecision(5));
}
