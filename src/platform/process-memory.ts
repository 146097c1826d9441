/**
 * Settings that keep a process small. Nearly all are for one that is about to be started: they cannot be changed in one that runs.
 * What each of them saves is in docs/decisions/memory.md.
 */
import v8 from "node:v8";

/** A young generation of 2 MiB, where V8 would let it grow to 64. Costs a seventh more CPU for each delivery. */
const SMALL_HEAP = "--max-semi-space-size=1";
/** A young generation of 16 MiB, where V8 would let it grow to 64 and keep what it has. */
const YOUNG_HEAP = "--max-semi-space-size=8";
/**
 * Has glibc's malloc (2.35 and newer) ask for huge pages, where the system gives them to those who ask: what thousands of
 * connections keep lies in pages of 2 MiB, that the processor finds without a walk through its tables for nearly each access.
 */
const HUGE_PAGES = "glibc.malloc.hugetlb=1";

/**
 * Flags for Node of a process that this one starts with so many threads. None where this one was told something of the young
 * generation, by flag or by `NODE_OPTIONS`, which a flag would overrule; and none for Deno, which has its own form.
 */
export function heapFlags(threads: number): readonly string[] {
  if ("Deno" in globalThis || isYoungHeapChosen()) return [];
  // Who asks for no threads asks for a small process; with threads, time counts more.
  return [threads === 0 ? SMALL_HEAP : YOUNG_HEAP];
}

/** Node and V8 take `_` for `-`. */
function isYoungHeapChosen(): boolean {
  return /semi[-_]space/.test(givenFlags());
}

/** What this process was told, by flags and by `NODE_OPTIONS`. */
export function givenFlags(): string {
  return [...process.execArgv, process.env["NODE_OPTIONS"] ?? ""].join(" ");
}

/**
 * Environment for glibc's malloc: two arenas instead of eight a core, and thresholds that stay where they are instead of
 * growing with what was freed once, so that freed memory goes back to the system. What the environment says already wins.
 */
export function smallMallocEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string | undefined>> {
  return {
    MALLOC_ARENA_MAX: "2",
    MALLOC_TRIM_THRESHOLD_: "131072",
    MALLOC_MMAP_THRESHOLD_: "131072",
    ...environment,
  };
}

/** Environment of a control plane with so many threads: malloc's settings, and huge pages where time counts more than size. */
export function controlPlaneEnvironment(
  threads: number,
  environment: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string | undefined>> {
  return smallMallocEnvironment(threads === 0 ? environment : { GLIBC_TUNABLES: HUGE_PAGES, ...environment });
}

const WHOLE_LIMIT = "--external-memory-accounted-in-global-limit";
/** Older ones do not know the flag (Node 22), and would say so on standard error. */
const WHOLE_LIMIT_SINCE = 13;
/** In a smaller heap the connections of a full server could pass the limit for good, and have V8 collect without end. */
const WHOLE_LIMIT_HEAP_MIN = 2 ** 30;

/**
 * Has V8 count memory outside its heap, as OpenSSL holds for each connection, against the limit that it has for the heap. Of
 * itself it looks through the whole heap for each 64 MiB of it: five times for 5,000 proxies that come, in pauses of 20 to 45
 * ms and on a core that others need, and finds next to nothing. Does nothing where V8 cannot do it, where the heap may have less
 * than 1 GiB, nor on Deno.
 */
export function countOuterMemoryInHeapLimit(): void {
  if ("Deno" in globalThis || Number.parseInt(process.versions.v8, 10) < WHOLE_LIMIT_SINCE) return;
  if (v8.getHeapStatistics().heap_size_limit >= WHOLE_LIMIT_HEAP_MIN) v8.setFlagsFromString(WHOLE_LIMIT);
}

/**
 * Has this process begin anew with a young generation of 16 MiB and malloc's settings, but for what the environment says of
 * them: same id, same standard streams, same arguments. To be called before anything else has been done. Does nothing
 * where somebody has decided on the young generation already (so that the second time is the last), where a debugger waits
 * at an address that it was told, or where the system cannot do it or Node's permissions forbid it. Node is given
 * `furtherFlags` on the way.
 */
export function beginWithYoungHeap(furtherFlags: readonly string[] = []): void {
  if ("Deno" in globalThis || isYoungHeapChosen() || givenFlags().includes("--inspect")) return;
  if (process.platform === "win32" || process.execve === undefined) return;
  if (process.permission?.has("child") === false) return;
  const [, ...program] = process.argv;
  const command = [process.execPath, ...process.execArgv, YOUNG_HEAP, ...furtherFlags, ...program];
  const environment = controlPlaneEnvironment(1, process.env);
  process.execve(process.execPath, command, environment as Record<string, string>);
}
