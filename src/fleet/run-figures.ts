import { readFileSync } from "node:fs";
import type { Clock, HostPort } from "../lib/mod.ts";
import { http } from "../platform/http.ts";
import type { FleetCounts } from "./fleet-api.ts";

const ASK_MS = 10_000;
/** The same when it has failed to answer before. */
const ASK_AGAIN_MS = 1000;
const SAMPLE_MS = 250;
const SAMPLES_MAX = 20_000;
/** Of `/proc/PID/stat`: USER_HZ is 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;

/** What a server says of itself; undefined: it does not. */
export interface ServerFigures {
  readonly cpuSeconds: number | undefined;
  readonly rssBytes: number | undefined;
  /** Resources made anew so far. */
  readonly generated: number | undefined;
  /** Longest that its event loop stood still since it was last asked: 99.9 % and maximum, ms. */
  readonly loopDelayP999Ms: number | undefined;
  readonly loopDelayMaxMs: number | undefined;
}

export interface FigureSample {
  /** Since the run began. */
  readonly atMs: number;
  readonly cpuSeconds: number;
  readonly rssBytes: number;
}

/** Where figures of the server come from. */
export interface FigureSource {
  readonly admin?: HostPort;
  readonly pid?: () => number;
}

const NOTHING: ServerFigures = {
  cpuSeconds: undefined,
  rssBytes: undefined,
  generated: undefined,
  loopDelayP999Ms: undefined,
  loopDelayMaxMs: undefined,
};

/**
 * Reads the figures of all replicas together. One that answers no more in the middle of a run has none, and that is counted;
 * one that is ended on purpose keeps what it has counted.
 */
export class FigureReader {
  readonly #sources: readonly FigureSource[];
  readonly #ended = new Set<number>();
  /** Of processes that are gone. */
  readonly #past: ServerFigures[] = [];
  #failures = 0;
  #example = "";

  constructor(sources: readonly FigureSource[]) {
    this.#sources = sources;
  }

  async read(): Promise<ServerFigures> {
    const running = this.#sources.filter((_, replica) => !this.#ended.has(replica));
    return together(await Promise.all(running.map((source) => this.#readOne(source))), this.#past);
  }

  /** To be awaited before the process of a replica is ended. */
  async ending(replica: number): Promise<void> {
    const source = this.#sources[replica];
    if (source === undefined || this.#ended.has(replica)) return;
    this.#past.push(await this.#readOne(source));
    this.#ended.add(replica);
  }

  /** Another process of the replica runs. */
  began(replica: number): void {
    this.#ended.delete(replica);
  }

  async #readOne({ admin, pid }: FigureSource): Promise<ServerFigures> {
    const system = { ...NOTHING, ...(pid === undefined ? undefined : processFigures(pid())) };
    if (admin === undefined) return system;
    try {
      return await serverFigures(admin, system, this.#failures === 0 ? ASK_MS : ASK_AGAIN_MS);
    } catch (error) {
      this.#failures += 1;
      this.#example = (error as Error).message;
      return system;
    }
  }

  /** What went wrong, as kinds of errors with a count and an example. */
  errors(): Pick<FleetCounts, "errors" | "errorExamples"> {
    if (this.#failures === 0) return { errors: {}, errorExamples: {} };
    return { errors: { "no-figures": this.#failures }, errorExamples: { "no-figures": this.#example } };
  }
}

/** Counters of all; gauges of those that run. Undefined where one of these does not say. */
function together(running: readonly ServerFigures[], past: readonly ServerFigures[]): ServerFigures {
  const of = (key: keyof ServerFigures, from: readonly ServerFigures[]) => from.map((each) => each[key] ?? Number.NaN);
  const told = (value: number) => (Number.isFinite(value) ? value : undefined);
  const sum = (values: readonly number[]) => told(values.reduce((total, value) => total + value, 0));
  const everybody = [...running, ...past];
  return {
    cpuSeconds: sum(of("cpuSeconds", everybody)),
    rssBytes: sum(of("rssBytes", running)),
    generated: sum(of("generated", everybody)),
    loopDelayP999Ms: told(Math.max(...of("loopDelayP999Ms", running))),
    loopDelayMaxMs: told(Math.max(...of("loopDelayMaxMs", running))),
  };
}

/** The server's own metrics, else what the system says of its process. */
async function serverFigures(admin: HostPort, system: ServerFigures, timeoutMs: number): Promise<ServerFigures> {
  const text = await ask(admin, timeoutMs);
  const value = (name: string) => metricValue(text, name);
  const delay = (quantile: string) => metricValue(text, "osm_event_loop_delay_seconds", `quantile="${quantile}"`);
  const ms = (seconds: number | undefined) => (seconds === undefined ? undefined : seconds * 1000);
  return {
    cpuSeconds: value("process_cpu_seconds_total") ?? system.cpuSeconds,
    rssBytes: value("process_resident_memory_bytes") ?? system.rssBytes,
    generated: value("osm_push_resources_generated_total"),
    loopDelayP999Ms: ms(delay("0.999")),
    loopDelayMaxMs: ms(delay("1") ?? metricValue(text, "osm_event_loop_delay_max_seconds")),
  };
}

/** The sum of a metric's series, or of those with `label`; undefined when there is none. */
export function metricValue(text: string, name: string, label = ""): number | undefined {
  let sum: number | undefined;
  for (const line of text.split("\n")) {
    if (!line.startsWith(`${name} `) && !line.startsWith(`${name}{`)) continue;
    if (line.includes(label)) sum = (sum ?? 0) + Number(line.slice(line.lastIndexOf(" ") + 1));
  }
  return sum;
}

/** CPU and memory of a process of this machine (Linux); undefined when there is none. */
function processFigures(pid: number): { readonly cpuSeconds: number; readonly rssBytes: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name in parentheses may hold anything; user and system time are fields 14 and 15.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const pages = Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]);
    return {
      cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
      rssBytes: pages * PAGE_BYTES,
    };
  } catch {
    // It is gone, or the system has no /proc.
    return undefined;
  }
}

/** Samples processes, all together, four times a second and without asking them anything. `stop` gives the samples. */
export function sampleProcesses(
  pids: () => readonly number[],
  clock: Clock,
): { readonly stop: () => readonly FigureSample[] } {
  const samples: FigureSample[] = [];
  const startedMs = clock.monotonic();
  let cancel = () => {};
  const take = () => {
    const figures = pids().flatMap((pid) => processFigures(pid) ?? []);
    if (figures.length > 0 && samples.length < SAMPLES_MAX) {
      const cpuSeconds = figures.reduce((sum, each) => sum + each.cpuSeconds, 0);
      const rssBytes = figures.reduce((sum, each) => sum + each.rssBytes, 0);
      samples.push({ atMs: Math.round(clock.monotonic() - startedMs), cpuSeconds, rssBytes });
    }
    cancel = clock.after(SAMPLE_MS, take);
  };
  take();
  return {
    stop() {
      cancel();
      return samples;
    },
  };
}

function ask({ host, port }: HostPort, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = http.request({ host, port, path: "/metrics", agent: false, timeout: timeoutMs }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("error", reject);
      response.on("end", () => resolve(text));
    });
    request.on("timeout", () => request.destroy(new Error(`no metrics from ${host}:${port} within ${timeoutMs} ms`)));
    request.on("error", reject);
    request.end();
  });
}
