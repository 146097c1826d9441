/**
 * View in, resource out, generating only what was never generated before. Resources are found again by the view object
 * itself while it lives, and by the hash of its content after that.
 */
import { LRUCache } from "lru-cache";
import type { FailedEntry, GeneratedEntry, GenerateJob, GenerateResult } from "../../workers/messages.ts";
import { type Clock, canonicalJson, contentHash, type Log, type Metrics } from "../lib/mod.ts";
import type { ResourceView } from "../mesh/mod.ts";
import { nextTurn, type Pool, PoolError } from "../platform/mod.ts";
import type { Resource, TypeUrl } from "../xds/resource.ts";
import { inSlices, SLICE_MS } from "./slices.ts";

export interface ResourceSourceOptions {
  readonly pool: Pool<GenerateJob, GenerateResult>;
  /**
   * Makes the resource of a view that is cheaper to generate at once than to hand over; undefined for all others. Every
   * view is given to the pool without it.
   */
  readonly generateHere?: (view: ResourceView) => Resource | undefined;
  /** How many jobs may be under way at once: enough to keep every worker busy. */
  readonly lanes: number;
  /** Bound of what is kept of resources that nobody uses now. */
  readonly cacheBytesMax: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface ResourceSource {
  /** Generates what is missing. A view that fails is logged, counted, and left alone for a while. */
  prepare(views: Iterable<ResourceView>): Promise<void>;
  /** The resource of a view that was prepared; undefined when it could not be generated. */
  get(view: ResourceView): Resource | undefined;
  /** When a view that failed may be tried again, on the monotonic clock; undefined when none did. */
  retryAt(): number | undefined;
}

/** Views of one job: enough that the way to a worker and back is shared, few enough that workers share the work. */
const BATCH_MAX = 64;
/**
 * A view that failed two workers is given to a third one later, and to others less and less often: generating is pure, so
 * it will most likely fail again, unless the machine was too busy to start a thread in time.
 */
const RETRY_MS = 10_000;
const RETRY_GROWTH = 4;
const RETRY_MAX_MS = 300_000;
/** What the process holds of an entry beside its bytes, measured: buffers, strings, and what answers begin its bytes with. */
const ENTRY_OVERHEAD_BYTES = 768;

/** A view that no resource is at hand for. */
interface Missing {
  readonly view: ResourceView;
  readonly hash: string;
  readonly text: string;
}

/** A view that failed, by the hash of its text. Times are on the monotonic clock. */
interface Failure {
  /** Until then it is left alone. */
  readonly untilMs: number;
  readonly waitMs: number;
}

/** Creates a {@link ResourceSource}. */
export function createResourceSource(options: ResourceSourceOptions): ResourceSource {
  const count = counters(options.metrics);
  const resources = new WeakMap<ResourceView, Resource>();
  const cache = new LRUCache<string, Resource>({
    maxSize: options.cacheBytesMax,
    sizeCalculation: (resource) => resource.bytes.length + ENTRY_OVERHEAD_BYTES,
  });
  options.metrics.observed(
    "osm_push_cache_bytes",
    "Size of the cache of generated resources",
    () => cache.calculatedSize,
  );
  const failures = new Map<string, Failure>();
  const isLeftAlone = (hash: string) =>
    (failures.get(hash)?.untilMs ?? Number.NEGATIVE_INFINITY) > options.clock.monotonic();
  /** What nobody asked for again has gone with its objects. */
  const forgetOld = () => {
    const now = options.clock.monotonic();
    for (const [hash, { untilMs }] of failures) if (untilMs + RETRY_MAX_MS <= now) failures.delete(hash);
  };

  const look = (view: ResourceView): Missing | undefined => {
    const text = canonicalJson(view);
    const hash = contentHash(text);
    const cached = cache.get(hash);
    if (cached === undefined) return { view, hash, text };
    count.hits.add();
    resources.set(view, cached);
    return undefined;
  };
  const failed = ({ view, hash }: Missing, error: string) => {
    options.log.error("cannot generate a resource; the last good one stays", {
      view: `${view.kind} ${view.name}`,
      error,
    });
    count.failures.add();
    const before = failures.get(hash)?.waitMs;
    const waitMs = before === undefined ? RETRY_MS : Math.min(before * RETRY_GROWTH, RETRY_MAX_MS);
    failures.set(hash, { untilMs: options.clock.monotonic() + waitMs, waitMs });
  };

  const made = ({ view, hash }: Missing, resource: Resource) => {
    count.generated.add();
    failures.delete(hash);
    cache.set(hash, resource);
    resources.set(view, resource);
  };
  /** What cannot be written here is left to a worker, which says why; thrown, it would cost everybody the whole pass. */
  const writeHere = (view: ResourceView): Resource | undefined => {
    try {
      return options.generateHere?.(view);
    } catch {
      return undefined;
    }
  };
  /** Found again by its version: the hash of what was written says as much as the hash of the view. */
  const generateHere = (view: ResourceView): boolean => {
    const resource = writeHere(view);
    if (resource === undefined) return false;
    let kept = cache.get(resource.version);
    if (kept === undefined) {
      count.misses.add();
      count.generated.add();
      // In memory of their own: bytes of an encoder lie in a pool of 64 KiB, all of which the cache would keep alive.
      kept = { ...resource, bytes: new Uint8Array(resource.bytes) };
      cache.set(resource.version, kept);
    } else count.hits.add();
    resources.set(view, kept);
    return true;
  };

  return {
    async prepare(views) {
      forgetOld();
      const missing = new Map<string, Missing>();
      const twins: Missing[] = [];
      // Classes share views: each one is looked at once.
      await inSlices(options.clock, new Set(views), (view) => {
        if (resources.has(view) || generateHere(view)) return;
        const absent = look(view);
        if (absent === undefined || isLeftAlone(absent.hash)) return;
        if (missing.has(absent.hash)) twins.push(absent);
        else missing.set(absent.hash, absent);
      });
      count.misses.add(missing.size);
      if (missing.size === 0) return;
      await generateAll([...missing.values()], options, (absent, outcome) => {
        if ("error" in outcome) failed(absent, outcome.error);
        else made(absent, outcome);
      });
      for (const { view, hash } of twins) {
        const resource = cache.get(hash);
        if (resource !== undefined) resources.set(view, resource);
      }
    },
    get: (view) => resources.get(view),
    retryAt() {
      const now = options.clock.monotonic();
      let soonest: number | undefined;
      for (const { untilMs } of failures.values()) {
        if (untilMs > now && untilMs < (soonest ?? Number.POSITIVE_INFINITY)) soonest = untilMs;
      }
      return soonest;
    },
  };
}

function counters(metrics: Metrics) {
  return {
    hits: metrics.counter("osm_push_cache_hits_total", "Views whose resource had been generated before"),
    misses: metrics.counter("osm_push_cache_misses_total", "Views whose resource had to be generated"),
    generated: metrics.counter("osm_push_resources_generated_total", "Resources generated"),
    failures: metrics.counter("osm_push_generate_failures_total", "Views for which no resource could be generated"),
  };
}

type Settle = (absent: Missing, outcome: Resource | FailedEntry) => void;

async function generateAll(missing: readonly Missing[], options: ResourceSourceOptions, settle: Settle): Promise<void> {
  const size = Math.min(BATCH_MAX, Math.max(1, Math.ceil(missing.length / options.lanes)));
  const batches: Missing[][] = [];
  for (let start = 0; start < missing.length; start += size) batches.push(missing.slice(start, start + size));
  const lane = async () => {
    let startedAt = options.clock.monotonic();
    for (let batch = batches.shift(); batch !== undefined; batch = batches.shift()) {
      await generateBatch(batch, options.pool, settle);
      // A pool without threads answers within the same turn.
      if (options.clock.monotonic() - startedAt < SLICE_MS) continue;
      await nextTurn();
      startedAt = options.clock.monotonic();
    }
  };
  await Promise.all(Array.from({ length: options.lanes }, lane));
}

/** A view whose first attempt failed is tried once more, alone, so that only the one at fault goes without a resource. */
async function generateBatch(
  batch: readonly Missing[],
  pool: Pool<GenerateJob, GenerateResult>,
  settle: Settle,
): Promise<void> {
  const outcomes = await attempt(batch, pool);
  for (const [position, absent] of batch.entries()) {
    const first = outcomes[position] ?? { error: "no answer for this view" };
    if (!("error" in first)) settle(absent, first);
    else settle(absent, (await attempt([absent], pool))[0] ?? first);
  }
}

async function attempt(
  batch: readonly Missing[],
  pool: Pool<GenerateJob, GenerateResult>,
): Promise<readonly (Resource | FailedEntry)[]> {
  try {
    const { frame, entries } = await pool.run({ views: batch.map(({ text }) => text) });
    return entries.map((entry) => ("error" in entry ? entry : unpack(frame, entry)));
  } catch (error) {
    if (!(error instanceof PoolError)) throw error;
    return batch.map(() => ({ error: error.message }));
  }
}

/** The bytes get a buffer of their own: a view of the frame would keep all of it alive. */
function unpack(frame: ArrayBuffer, entry: GeneratedEntry): Resource {
  return {
    // The generator's type URLs are those of xds/resource.ts; a test holds them against each other.
    typeUrl: entry.typeUrl as TypeUrl,
    name: entry.name,
    version: entry.version,
    bytes: new Uint8Array(frame.slice(entry.offset, entry.offset + entry.length)),
  };
}
