/**
 * Pools of worker threads, on piscina: the one place that starts threads. It adds to piscina what a job needs to be
 * harmless: a queue with a bound and a time limit that counts from when the job starts, and typed errors.
 */
import { Piscina } from "piscina";
import type { Clock, Log, Metrics } from "../lib/mod.ts";

/** Threads that answer jobs of one kind. */
export interface Pool<Job, Result> {
  /** One attempt. Rejects with {@link PoolError}. `timeoutMs` takes the place of the pool's. */
  run(job: Job, timeoutMs?: number): Promise<Result>;
  /** Ends the threads; what is queued or running fails with code `closed`. */
  close(): Promise<void>;
}

/** A job that has no result. A retry may succeed unless the code is `closed`. */
export class PoolError extends Error {
  override readonly name = "PoolError";
  /** `failed`: the job threw, or its thread died. */
  readonly code: "timeout" | "failed" | "full" | "closed";

  constructor(code: PoolError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** What a pool reports, for pools on threads and on the main thread alike. */
export interface PoolReporting {
  /** Short name of the pool, from a closed set; a label of its metrics. */
  readonly name: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface PoolOptions extends PoolReporting {
  /** Module that every thread loads. */
  readonly entry: URL;
  /** Function that it exports: one job in, a result or a promise of one out. */
  readonly function: string;
  readonly threads: number;
  /** Threads that nobody needs end after this long; without it they stay. */
  readonly idleMs?: number;
  /** A job that takes longer is given up, and its thread with it. */
  readonly timeoutMs: number;
  /** Jobs that may wait. */
  readonly queueMax: number;
  /** Heap of one thread; a thread that needs more dies, and only that one. */
  readonly heapMaxMb: number;
  /** Plain data that every thread can read. */
  readonly workerData?: unknown;
}

/** Young generation of a thread: threads are many and their garbage is short-lived, so memory counts more than speed. */
const YOUNG_MAX_MB = 3;

interface Waiting<Job, Result> {
  readonly job: Job;
  readonly timeoutMs: number;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: PoolError) => void;
}

/** Starts a pool. Its threads do not keep the process alive while they have nothing to do. */
export function startPool<Job, Result>(options: PoolOptions): Pool<Job, Result> {
  const report = reporter(options);
  const piscina = new Piscina<Job, Result>({
    filename: options.entry.href,
    name: options.function,
    minThreads: options.idleMs === undefined ? options.threads : 0,
    maxThreads: options.threads,
    idleTimeout: options.idleMs ?? Number.POSITIVE_INFINITY,
    concurrentTasksPerWorker: 1,
    resourceLimits: { maxOldGenerationSizeMb: options.heapMaxMb, maxYoungGenerationSizeMb: YOUNG_MAX_MB },
    ...(options.workerData === undefined ? {} : { workerData: options.workerData }),
  });
  piscina.on("error", (error: Error) =>
    options.log.error("a worker died while idle", { pool: options.name, error: error.message }),
  );

  const queue: Waiting<Job, Result>[] = [];
  let running = 0;
  let isClosed = false;

  const start = async (next: Waiting<Job, Result>) => {
    running += 1;
    const abort = new AbortController();
    const cancel = options.clock.after(next.timeoutMs, () => abort.abort());
    const startedMs = options.clock.monotonic();
    try {
      const result = await piscina.run(next.job, { signal: abort.signal });
      report.done(startedMs);
      next.resolve(result);
    } catch (cause) {
      next.reject(
        report.failed(
          abort.signal.aborted ? timedOut(options.name, next.timeoutMs) : failure(options.name, isClosed, cause),
        ),
      );
    } finally {
      cancel();
      running -= 1;
      fill();
    }
  };
  const fill = () => {
    while (running < options.threads) {
      const next = queue.shift();
      if (next === undefined) break;
      void start(next);
    }
    report.queued(queue.length);
  };

  return {
    run: (job, timeoutMs = options.timeoutMs) =>
      new Promise((resolve, reject) => {
        if (isClosed) return reject(closed(options.name));
        if (queue.length >= options.queueMax) return reject(report.failed(full(options.name, options.queueMax)));
        queue.push({ job, timeoutMs, resolve, reject });
        fill();
      }),
    async close() {
      isClosed = true;
      for (const waiting of queue.splice(0)) waiting.reject(closed(options.name));
      await piscina.destroy();
    },
  };
}

/**
 * The same interface without threads: jobs run where they are asked for, one at a time. There is nothing that could stop
 * a job that hangs. `load` is called once, at the first job.
 */
export function inlinePool<Job, Result>(
  options: PoolReporting & { readonly load: () => Promise<(job: Job) => Result | Promise<Result>> },
): Pool<Job, Result> {
  const report = reporter(options);
  let loaded: Promise<(job: Job) => Result | Promise<Result>> | undefined;
  let last: Promise<unknown> = Promise.resolve();
  let isClosed = false;
  const runOne = async (job: Job): Promise<Result> => {
    if (isClosed) throw closed(options.name);
    loaded ??= options.load();
    const work = await loaded;
    const startedMs = options.clock.monotonic();
    try {
      const result = await work(job);
      report.done(startedMs);
      return result;
    } catch (cause) {
      throw report.failed(failure(options.name, isClosed, cause));
    }
  };
  return {
    run(job) {
      const result = last.then(() => runOne(job));
      last = result.catch(() => undefined);
      return result;
    },
    async close() {
      isClosed = true;
      await last;
    },
  };
}

/** Runs a job, and once more when the first attempt failed: on another thread, for one that failed has been replaced. */
export async function runTwice<Job, Result>(pool: Pool<Job, Result>, job: Job): Promise<Result> {
  try {
    return await pool.run(job);
  } catch (error) {
    if (error instanceof PoolError && (error.code === "closed" || error.code === "full")) throw error;
    return await pool.run(job);
  }
}

function reporter(options: PoolReporting) {
  const { name: pool, clock, metrics } = options;
  const seconds = metrics.histogram(
    "osm_worker_job_seconds",
    "Time that one job took in its worker, its way there and back included",
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10],
  );
  const failures = metrics.counter("osm_worker_job_failures_total", "Attempts at a job that gave no result");
  const queued = metrics.gauge("osm_worker_queue_length", "Jobs that wait for a worker");
  return {
    done: (startedMs: number) => seconds.observe((clock.monotonic() - startedMs) / 1000, { pool }),
    failed(error: PoolError) {
      failures.add(1, { pool, reason: error.code });
      return error;
    },
    queued: (count: number) => queued.set(count, { pool }),
  };
}

function timedOut(pool: string, timeoutMs: number): PoolError {
  return new PoolError("timeout", `A ${pool} worker gave no answer in ${timeoutMs} ms and was stopped`);
}
function full(pool: string, queueMax: number): PoolError {
  return new PoolError("full", `The queue of the ${pool} workers is full: ${queueMax} jobs wait`);
}
function closed(pool: string): PoolError {
  return new PoolError("closed", `The ${pool} workers are stopped`);
}
function failure(pool: string, isClosed: boolean, cause: unknown): PoolError {
  if (isClosed) return closed(pool);
  const words = cause instanceof Error ? cause.message : String(cause);
  return new PoolError("failed", `A ${pool} worker failed: ${words}`, { cause });
}
