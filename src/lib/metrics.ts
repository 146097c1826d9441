/**
 * Metrics as a dependency. A room declares its metrics once with a closed set of label names; `src/admin` renders the
 * registry as Prometheus text. Follows the Prometheus text exposition format 0.0.4.
 */
export type MetricKind = "counter" | "gauge" | "histogram";
export type LabelValues = Readonly<Record<string, string>>;

export interface Counter {
  add(amount?: number, labels?: LabelValues): void;
  /** The series of these labels, for places that count so often that looking it up would show. */
  bind(labels: LabelValues): BoundCounter;
}
export interface BoundCounter {
  add(amount: number): void;
}
export interface Gauge {
  set(value: number, labels?: LabelValues): void;
}
export interface Histogram {
  observe(value: number, labels?: LabelValues): void;
  /** As {@link Counter.bind}. */
  bind(labels: LabelValues): BoundHistogram;
}
export interface BoundHistogram {
  observe(value: number): void;
}

/** One time series as it stands now. Histograms carry cumulative bucket counts, the last one being `+Inf`. */
export interface Series {
  readonly labels: LabelValues;
  readonly value: number;
  readonly buckets?: readonly number[];
  readonly count?: number;
}
export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly kind: MetricKind;
  /** Upper bounds of a histogram's buckets, without `+Inf`. */
  readonly bounds?: readonly number[];
  readonly series: readonly Series[];
}

export interface Metrics {
  counter(name: string, help: string): Counter;
  gauge(name: string, help: string): Gauge;
  histogram(name: string, help: string, bounds: readonly number[]): Histogram;
  /** A value that is asked for at scrape time. */
  observed(name: string, help: string, read: () => number, kind?: "gauge" | "counter"): void;
  families(): readonly MetricFamily[];
}

interface OpenSeries {
  readonly labels: LabelValues;
  value: number;
  /** How many values fell into each bucket, the last one being for what is above all bounds. */
  readonly buckets: number[];
  count: number;
}
interface State {
  readonly kind: MetricKind;
  readonly help: string;
  readonly bounds: readonly number[];
  readonly series: Map<string, OpenSeries>;
  readonly read?: () => number;
}

/** Label sets are closed by their owners; a metric that passes this many series drops new ones rather than grow. */
const SERIES_MAX = 2000;

/** Creates an empty registry. */
export function metricsRegistry(): Metrics {
  const states = new Map<string, State>();
  const declare = (name: string, state: Omit<State, "series">): State => {
    const declared = states.get(name) ?? { ...state, series: new Map() };
    states.set(name, declared);
    return declared;
  };
  return {
    counter(name, help) {
      const state = declare(name, { kind: "counter", help, bounds: [] });
      return {
        add(amount = 1, labels = {}) {
          seriesOf(state, labels).value += amount;
        },
        bind(labels) {
          const series = seriesOf(state, labels);
          return {
            add(amount) {
              series.value += amount;
            },
          };
        },
      };
    },
    gauge(name, help) {
      const state = declare(name, { kind: "gauge", help, bounds: [] });
      return {
        set(value, labels = {}) {
          seriesOf(state, labels).value = value;
        },
      };
    },
    histogram(name, help, bounds) {
      const state = declare(name, { kind: "histogram", help, bounds });
      return {
        observe: (value, labels = {}) => observe(seriesOf(state, labels), bounds, value),
        bind(labels) {
          const series = seriesOf(state, labels);
          return { observe: (value) => observe(series, bounds, value) };
        },
      };
    },
    observed(name, help, read, kind = "gauge") {
      declare(name, { kind, help, bounds: [], read });
    },
    families: () => [...states].map(([name, state]) => familyOf(name, state)),
  };
}

function seriesOf(state: State, labels: LabelValues): OpenSeries {
  const names = Object.keys(labels).sort();
  const key = names.map((name) => `${name}=${labels[name]}`).join("\n");
  let series = state.series.get(key);
  if (series === undefined) {
    series = { labels, value: 0, buckets: [...state.bounds.map(() => 0), 0], count: 0 };
    if (state.series.size < SERIES_MAX) state.series.set(key, series);
  }
  return series;
}

function observe(series: OpenSeries, bounds: readonly number[], value: number): void {
  series.value += value;
  series.count += 1;
  let position = 0;
  while (position < bounds.length && value > (bounds[position] ?? 0)) position += 1;
  series.buckets[position] = (series.buckets[position] ?? 0) + 1;
}

function cumulative(buckets: readonly number[]): number[] {
  let sum = 0;
  return buckets.map((count) => {
    sum += count;
    return sum;
  });
}

function familyOf(name: string, state: State): MetricFamily {
  const series: Series[] =
    state.read !== undefined
      ? [{ labels: {}, value: state.read() }]
      : [...state.series.values()].map(({ labels, value, buckets, count }) =>
          state.kind === "histogram" ? { labels, value, buckets: cumulative(buckets), count } : { labels, value },
        );
  return {
    name,
    help: state.help,
    kind: state.kind,
    series,
    ...(state.kind === "histogram" ? { bounds: state.bounds } : {}),
  };
}
