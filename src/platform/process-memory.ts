/**
 * Settings that keep a process small, for one that is about to be started: they cannot be changed in one that runs.
 * What each of them saves is in docs/decisions/memory.md.
 */

/**
 * Flags for Node: a young generation of 2 MiB, where V8 would let it grow to 64. Costs a seventh more CPU for each delivery.
 * None for Deno, which has its own form.
 */
export const smallHeapFlags: readonly string[] = "Deno" in globalThis ? [] : ["--max-semi-space-size=1"];

/** A young generation of 16 MiB, where V8 would let it grow to 64 and keep what it has. None for Deno. */
export const youngHeapFlags: readonly string[] = "Deno" in globalThis ? [] : ["--max-semi-space-size=8"];

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

/**
 * Has this process begin anew with {@link youngHeapFlags}: same id, same standard streams, same arguments. To be called
 * before anything else has been done. Does nothing where somebody has decided already (so that the second time is the last),
 * where a debugger waits at an address that it was told, or where the system cannot do it.
 */
export function beginWithYoungHeap(): void {
  const given = [...process.execArgv, process.env["NODE_OPTIONS"] ?? ""].join(" ");
  if (youngHeapFlags.length === 0 || /semi-space|--inspect/.test(given)) return;
  if (process.platform === "win32" || process.execve === undefined) return;
  const [, ...program] = process.argv;
  const command = [process.execPath, ...process.execArgv, ...youngHeapFlags, ...program];
  process.execve(process.execPath, command, process.env as Record<string, string>);
}
