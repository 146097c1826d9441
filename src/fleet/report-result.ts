import type { OracleReport } from "./oracle.ts";
import type { FigureSample } from "./run-figures.ts";
import type { Shape } from "./shape.ts";

/** Milliseconds of many deliveries: few numbers, and as much of the sample as plots need. */
export interface Delays {
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
  /** In ascending order; of a large sample every n-th, both ends included. */
  readonly kept: readonly number[];
}

export interface PhaseReport {
  readonly name: string;
  /** Since the run began. */
  readonly startMs: number;
  readonly endMs: number;
  /** Files that were put in place, and how late at worst. */
  readonly changes: number;
  readonly lateMs: number;
  /** Responses that arrived at proxies. */
  readonly deliveries: number;
  /** Responses that the changes made necessary; undefined where that is not counted. */
  readonly needed: number | undefined;
  readonly resources: number;
  /** Resources that the server made anew. */
  readonly generated: number | undefined;
  readonly bytes: number;
  /** From the rename of a file until each proxy that has to see it had read it. */
  readonly toEach: Delays | undefined;
  /** Until the last of them had acknowledged it, for each change. */
  readonly toLast: Delays | undefined;
  /** How long proxies together held what was over, in seconds of one proxy. */
  readonly staleProxySeconds: number;
  /** Deliveries that did not come in time. */
  readonly missing: number;
  /** For each trouble of the source: from its end until the last proxy had acknowledged the change that came with it. */
  readonly recovery: Delays | undefined;
  /** Streams that were opened: from the beginning to all that a proxy asked for. */
  readonly opened: OpenedReport | undefined;
  /** How long the control plane was gone until it was ready again. */
  readonly downMs: number | undefined;
  /** How long a replica took to end when it was asked to. */
  readonly drainMs: number | undefined;
  /** Open streams of each replica at the end; empty where there is one alone. */
  readonly streams: readonly number[];
  readonly serverCpuSeconds: number | undefined;
  readonly serverRssBytes: number | undefined;
  readonly serverLoopDelayP999Ms: number | undefined;
  readonly serverLoopDelayMaxMs: number | undefined;
  readonly clientCpuSeconds: number;
  readonly clientRssBytes: number;
  /** A process of the clients used more than 90 % of a core: the server may be faster than this says. */
  readonly isBoundByClient: boolean;
  /** Resources that came to well proxies later than an Envoy waits for them (15 s). */
  readonly warmingTimeouts: number;
  /** More than 90 % of the machine's time was used, by whomever. */
  readonly isMachineBusy: boolean;
  /** Deliveries made by each change, in order of the changes. */
  readonly perChange: readonly number[];
}

export interface OpenedReport {
  readonly proxies: number;
  readonly toEach: Delays | undefined;
  readonly handshakes: number;
  readonly resumed: number;
  readonly missing: number;
}

/** All that a run has found. What fails the oracle has no `phases`. */
export interface RunReport {
  readonly schema: 1;
  readonly scenario: {
    readonly name: string;
    readonly workload: string;
    readonly description: string;
    readonly seed: number;
    readonly shapeName: string;
    readonly shape: Shape;
    readonly proxies: number;
    readonly protocol: string;
  };
  /** RFC 3339. */
  readonly startedAt: string;
  readonly machine: { readonly cpus: number; readonly runtime: string; readonly platform: string };
  readonly target: string;
  readonly phases: readonly PhaseReport[];
  readonly samples: { readonly server: readonly FigureSample[]; readonly clients: readonly FigureSample[] };
  readonly oracle: OracleReport;
  /** Connections and streams that failed, by kind, with an example of each. */
  readonly errors: Readonly<Record<string, number>>;
  readonly errorExamples: Readonly<Record<string, string>>;
  readonly requiredEndpoints: number;
}

const KEPT_MAX = 1000;

/** Summarizes values; undefined when there is none. */
export function delaysOf(values: readonly number[]): Delays | undefined {
  if (values.length === 0) return undefined;
  const sorted = Float64Array.from(values).sort();
  return {
    count: sorted.length,
    p50: rounded(quantile(sorted, 0.5)),
    p90: rounded(quantile(sorted, 0.9)),
    p99: rounded(quantile(sorted, 0.99)),
    max: rounded(sorted[sorted.length - 1] ?? 0),
    kept: thinned(sorted).map(rounded),
  };
}

/** The value that a share of a sorted sample does not exceed (nearest rank). */
function quantile(sorted: Float64Array, share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}

function thinned(sorted: Float64Array): readonly number[] {
  if (sorted.length <= KEPT_MAX) return [...sorted];
  const stride = (sorted.length - 1) / (KEPT_MAX - 1);
  return Array.from({ length: KEPT_MAX }, (_, n) => sorted[Math.round(n * stride)] ?? 0);
}

/** Four significant digits: more would be noise. */
function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
