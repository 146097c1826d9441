/**
 * Settings that keep a process small, for one that is about to be started: they cannot be changed in one that runs.
 * What each of them saves is in docs/decisions/memory.md.
 */

/**
 * Flags for Node: a young generation of 2 MiB, where V8 would let it grow to 32. Costs a seventh more CPU for each delivery.
 * None for Deno, which has its own form.
 */
export const smallHeapFlags: readonly string[] = "Deno" in globalThis ? [] : ["--max-semi-space-size=1"];

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
