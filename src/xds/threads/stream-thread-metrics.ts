/** Metrics of stream threads, which the main thread's registry shows. */
import type { Gauge, Metrics } from "../../lib/mod.ts";
import type { TransportMetrics } from "../transport.ts";
import type { FromStreamThread, MetricValue } from "./stream-thread-messages.ts";

/** In a stream thread: what is counted goes out at the end of the turn, the rest when asked for. */
export class ThreadMetrics implements TransportMetrics {
  readonly #onCount: () => void;
  #counts: MetricValue[] = [];
  readonly #gauges = new Map<string, MetricValue>();
  readonly #observed: (() => MetricValue)[] = [];

  /** `onCount` hears that {@link takeCounts} has something. */
  constructor(onCount: () => void) {
    this.#onCount = onCount;
  }

  counter(name: string, help: string): ReturnType<Metrics["counter"]> {
    const add = (value = 1, labels = {}) => {
      this.#counts.push({ name, help, value, labels });
      this.#onCount();
    };
    return { add, bind: (labels) => ({ add: (value) => add(value, labels) }) };
  }

  gauge(name: string, help: string): Gauge {
    return {
      set: (value, labels = {}) => {
        this.#gauges.set(`${name} ${JSON.stringify(labels)}`, { name, help, value, labels });
      },
    };
  }

  observed(name: string, help: string, read: () => number): void {
    this.#observed.push(() => ({ name, help, value: read(), labels: {} }));
  }

  takeCounts(): readonly MetricValue[] {
    const counts = this.#counts;
    if (counts.length > 0) this.#counts = [];
    return counts;
  }

  standing(): FromStreamThread {
    return { kind: "gauges", sums: this.#observed.map((read) => read()), gauges: [...this.#gauges.values()] };
  }
}

/** On the main thread: what threads tell, summed where they measure parts of one thing and named where they do not. */
export class SummedMetrics implements TransportMetrics {
  readonly #metrics: Metrics;
  /** By metric: what each thread said last, and what the main thread's own part is. */
  readonly #sums = new Map<string, Map<string, () => number>>();

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
  }

  counter(name: string, help: string): ReturnType<Metrics["counter"]> {
    return this.#metrics.counter(name, help);
  }

  gauge(name: string, help: string): Gauge {
    return this.#metrics.gauge(name, help);
  }

  observed(name: string, help: string, read: () => number): void {
    this.#partOf(name, help, "main", read);
  }

  counted(counts: readonly MetricValue[]): void {
    for (const { name, help, value, labels } of counts) this.#metrics.counter(name, help).add(value, labels);
  }

  stand(thread: string, sums: readonly MetricValue[], gauges: readonly MetricValue[]): void {
    for (const { name, help, value } of sums) this.#partOf(name, help, thread, () => value);
    for (const { name, help, value, labels } of gauges) {
      this.#metrics.gauge(name, help).set(value, { ...labels, thread });
    }
  }

  /** The thread is gone: it measures nothing any more. */
  forget(thread: string): void {
    for (const parts of this.#sums.values()) parts.delete(thread);
  }

  #partOf(name: string, help: string, thread: string, read: () => number): void {
    let parts = this.#sums.get(name);
    if (parts === undefined) {
      const made = new Map<string, () => number>();
      this.#metrics.observed(name, help, () => [...made.values()].reduce((sum, part) => sum + part(), 0));
      this.#sums.set(name, made);
      parts = made;
    }
    parts.set(thread, read);
  }
}
